import { parseSampleInterval } from '../intervals.js';
import { parseBoolean, parseCount, parseDuration } from '../units.js';
import { parseJsonObject, parseReportPath } from '../values.js';
import type { Option } from './option.js';

/** What is sampled and how often, and the report at the end. */
export const STATISTICS = {
  sint: {
    type: 'duration',
    placeholder: 'duration',
    default: '1m',
    help: 'interval of statistics, at least 10ms; 0 turns periodic sampling off',
    parse: parseSampleInterval,
  },
  json: {
    type: 'JSON',
    placeholder: 'object',
    default: '',
    help: 'a JSON object carried in every sample as UserData',
    parse: parseJsonObject,
    shapes: ['object'],
  },
  rows: {
    type: 'count',
    placeholder: 'number',
    default: '10',
    help: 'number of the largest processes listed in each sample, at most 1000',
    parse: (text: string) => parseCount(text, 0, 1000),
  },
  'rows-interval': {
    type: 'duration',
    placeholder: 'duration',
    default: '1m',
    help: 'in a box with a cgroup and more than 64 processes, the maximum age of figures that need a walk over all processes; 0 walks for each sample',
    parse: parseDuration,
  },
  pss: {
    type: 'boolean',
    default: 'false',
    help: 'proportional set size in each sample (smaps_rollup: costly for large processes)',
    parse: parseBoolean,
  },
  report: {
    type: 'boolean',
    default: 'false',
    help: 'print the end report on stderr',
    parse: parseBoolean,
  },
  'report-file': {
    type: 'path',
    placeholder: 'path',
    default: '',
    help: "write the end report as JSON to this file; {job}, {step}, {task}, {host} and {box} in its name are replaced by the job's own",
    parse: parseReportPath,
  },
} as const satisfies Readonly<Record<string, Option>>;
