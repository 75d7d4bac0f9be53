import { SpecError } from '../../errors.js';
import { parseDuration, parseSize } from '../../options/units.js';
import { didYouMean, quote } from '../../options/words.js';
import { parseYaml, type YamlLoader } from '../../options/yaml-document.js';

/** When the report adds a remark. A site or a user may change each of these. */

interface Threshold {
  readonly unit: 'percent' | 'time' | 'size';
  readonly default: number;
  readonly help: string;
}

const MIB = 1024 * 1024;

export const THRESHOLDS = {
  'memory-unused': { unit: 'percent', default: 50, help: 'memory: less than this share of the limit was used' },
  'memory-least': { unit: 'size', default: 512 * MIB, help: 'memory: and at least this much was never used' },
  'memory-tight': { unit: 'percent', default: 90, help: 'memory: more than this share of the limit was used' },
  'cpu-unused': { unit: 'percent', default: 50, help: 'CPU: less than this share of the cores was used' },
  'node-idle': { unit: 'percent', default: 5, help: 'a node used less than this share of its cores' },
  throttled: { unit: 'percent', default: 10, help: 'the CPU limit throttled the job for this share of its time' },
  'time-unused': { unit: 'percent', default: 25, help: 'time: less than this share of the limit was used' },
  'time-tight': { unit: 'percent', default: 90, help: 'time: more than this share of the limit was used' },
  waits: { unit: 'percent', default: 20, help: 'tasks waited for memory or I/O for this share of the time' },
  suspended: { unit: 'percent', default: 10, help: 'the job was suspended for this share of its time' },
  margin: { unit: 'percent', default: 20, help: 'what advice adds to what was used' },
  'least-time': { unit: 'time', default: 60_000, help: 'jobs shorter than this get no advice to ask for less' },
} as const satisfies Readonly<Record<string, Threshold>>;

export type ThresholdName = keyof typeof THRESHOLDS;
export type Thresholds = Readonly<Record<ThresholdName, number>>;

const NAMES = Object.keys(THRESHOLDS) as readonly ThresholdName[];

export const DEFAULT_THRESHOLDS: Thresholds = Object.fromEntries(
  NAMES.map((name) => [name, THRESHOLDS[name].default]),
) as Record<ThresholdName, number>;

/**
 * @param text `memory-unused=30,least-time=5m`
 * @param base what the others are
 * @param source for errors: the option, or the file
 * @throws SpecError
 */
export function parseThresholds(text: string, base: Thresholds, source: string): Thresholds {
  const changed: Partial<Record<ThresholdName, number>> = {};
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [name = '', value = ''] = part.split('=', 2).map((one) => one.trim());
    const known = NAMES.find((one) => one === name);
    if (known === undefined) {
      throw new SpecError(
        `${source}: unknown threshold ${quote(name)}${didYouMean(name, NAMES) || `; expected one of ${NAMES.join(', ')}`}`,
      );
    }
    changed[known] = parseValue(known, value, source);
  }
  return { ...base, ...changed };
}

/** @param text of a file with lines such as `memory-unused: 30`. @throws SpecError */
export function thresholdsOf(path: string, text: string, loadYaml: YamlLoader): Thresholds {
  const { pairs, yaml } = parseYaml(path, text, loadYaml());
  return pairs.reduce((base, { key, value, line }) => {
    const given = yaml.isScalar(value) ? (value.source ?? String(value.value)) : '';
    return parseThresholds(`${key}=${given}`, base, `${path}:${line}`);
  }, DEFAULT_THRESHOLDS);
}

function parseValue(name: ThresholdName, text: string, source: string): number {
  try {
    switch (THRESHOLDS[name].unit) {
      case 'time':
        return parseDuration(text);
      case 'size':
        return parseSize(text);
      case 'percent':
        return parsePercent(text);
    }
  } catch (error) {
    throw new SpecError(`${source}: ${name}: ${(error as Error).message}`, { cause: error });
  }
}

function parsePercent(text: string): number {
  const [, digits] = /^(\d{1,4}(?:\.\d{1,3})?)\s*%?$/.exec(text) ?? [];
  if (digits === undefined) throw new SpecError(`${quote(text)}: expected a percentage such as 30`);
  return Number(digits);
}
