import type { BoxRow } from '../model/api.js';
import { amountAt, type Fields, isFields, nameAt, textAt } from '../model/fields.js';
import { readIdentity } from '../model/parse.js';
import type { BoxFacts } from './facts.js';

/** The facts of a box that has no end report, from its row in a collector's answer. @returns null if it is no row */
export function factsOfRow(value: unknown): BoxFacts | null {
  const identity = readIdentity(value);
  if (!isFields(value) || identity === null) return null;
  const row = value as Fields & { readonly [Key in keyof BoxRow]?: unknown };
  const amount = (key: keyof BoxRow) => amountAt(row[key]) ?? 0;
  const ended = row.state === 'ended';
  const elapsedMs = amount('elapsed_ms');
  return {
    identity,
    ended,
    state: nameAt(row.state) ?? 'unknown',
    atMs: amountAt(row.ended_ms) ?? amount('updated_ms'),
    reason: ended ? (nameAt(row.reason) ?? 'unknown') : 'running',
    exitStatus: amountAt(row.exit_status),
    signal: null,
    why: textAt(row.why),
    elapsedMs,
    suspendedMs: null,
    cpuSec: amount('cpu_sec'),
    cores: amountAt(row.cpu_limit_cores),
    memoryPeakBytes: amount('memory_peak_bytes'),
    chargedPeakBytes: amount('memory_peak_bytes'),
    memoryLimitBytes: amountAt(row.memory_limit_bytes),
    timeUsedMs: elapsedMs,
    timeLimitMs: amountAt(row.time_limit_ms),
    oomKills: amountAt(row.oom_kills),
    throttledMs: null,
    stalledMs: { cpu: null, memory: null, io: null },
    readBytes: amount('read_bytes'),
    writeBytes: amount('write_bytes'),
    stdoutBytes: amount('stdout_bytes'),
    processesPeak: amountAt(row.processes),
    threadsPeak: amountAt(row.threads),
    forksRefused: null,
    limits: {},
    dropped: amount('dropped'),
  };
}
