import { amountAt, type Fields, isFields, listAt, nameAt, numberAt, objectAt, textAt } from './fields.js';
import type { ObservedLimit, ObservedLimits, ObservedPressure, ObservedProcess, ObservedSample } from './observed.js';

/** Readers of the nested parts of messages. They never throw. */

const LIMITS_MAX = 64;
const PROCESSES_MAX = 64;
const LIMIT_NAME = /^[a-z][a-z0-9_-]{0,31}$/;

/** @returns limits by name, without a prototype, so that a limit called `constructor` is one like any other */
export function readLimits(value: unknown): ObservedLimits {
  const limits: Record<string, ObservedLimit> = Object.create(null);
  for (const [name, status] of Object.entries(objectAt(value)).slice(0, LIMITS_MAX)) {
    if (LIMIT_NAME.test(name) && isFields(status)) limits[name] = readLimit(status);
  }
  return limits;
}

export function readLimit(status: Fields): ObservedLimit {
  return {
    value: amountOrText(status['value']) ?? 'unknown',
    hard: amountOrText(status['hard']),
    unit: nameAt(status['unit']) ?? 'count',
    enforcement: nameAt(status['enforcement']) ?? 'none',
    source: nameAt(status['source']),
  };
}

function amountOrText(value: unknown): number | string | null {
  return typeof value === 'number' ? numberAt(value) : textAt(value);
}

/** Pressure of the three resources, and whose it is. */
export function readPressure(value: unknown): Pick<ObservedSample, 'pressure' | 'pressureScope'> {
  const fields = objectAt(value);
  const scope = fields['scope'];
  return {
    pressureScope: scope === 'cgroup' || scope === 'host' ? scope : null,
    pressure: { cpu: pressureOf(fields['cpu']), memory: pressureOf(fields['memory']), io: pressureOf(fields['io']) },
  };
}

function pressureOf(value: unknown): ObservedPressure | null {
  if (!isFields(value) || !isFields(value['some'])) return null;
  const some = value['some'];
  const full = objectAt(value['full']);
  return {
    someAvg10: amountAt(some['avg10']) ?? 0,
    someTotalUsec: amountAt(some['total_usec']) ?? 0,
    fullAvg10: amountAt(full['avg10']),
    fullTotalUsec: amountAt(full['total_usec']),
  };
}

/** The rows of the largest processes. Rows without a pid or a name are left out. */
export function readProcesses(value: unknown): readonly ObservedProcess[] {
  const processes: ObservedProcess[] = [];
  for (const row of listAt(value, PROCESSES_MAX)) {
    const fields = objectAt(row);
    const pid = amountAt(fields['pid']);
    const name = nameAt(fields['name']);
    if (pid === null || name === null) continue;
    const user = amountAt(fields['user']);
    const system = amountAt(fields['system']);
    processes.push({
      pid,
      ppid: amountAt(fields['ppid']),
      name,
      state: nameAt(fields['state']),
      threads: amountAt(fields['threads']),
      rssBytes: amountAt(fields['rss']) ?? 0,
      cpuSec: user === null && system === null ? null : (user ?? 0) + (system ?? 0),
    });
  }
  return processes;
}
