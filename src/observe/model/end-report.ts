import type { Reason } from '../../model/types.js';
import { amountAt, isFields, numberAt, objectAt, textAt } from './fields.js';
import { readLimit, readLimits } from './nested.js';
import type { EndReport, ObservedEvent } from './observed.js';
import { parseMessage } from './parse.js';

/** Reads the `exited` event, the end report of a box. Files of `--report-file` hold the same text. */

const REASONS: ReadonlySet<unknown> = new Set<Reason>([
  'exited',
  'signaled',
  'timeout',
  'stdoutlimit',
  'memory',
  'oom',
  'cpu',
  'pids',
  'stopped',
  'killed',
  'scheduler',
  'ended',
  'failed',
]);

/** @param text of a report file. @returns null if it holds no end report */
export function parseEndReport(text: string | Uint8Array): EndReport | null {
  const observed = parseMessage(text);
  return observed.kind === 'event' ? endReportOf(observed) : null;
}

/** @returns null if it is another event */
export function endReportOf({ identity, atMs, event, body }: ObservedEvent): EndReport | null {
  if (event !== 'exited') return null;
  const usage = objectAt(body['usage']);
  const throttling = objectAt(usage['throttling']);
  const stalled = objectAt(usage['stalled_usec']);
  const cgroupPeak = amountAt(usage['cgroup_memory_peak_bytes']);
  const stalledUsec = (resource: string) => amountAt(objectAt(stalled[resource])['some']);
  return {
    identity,
    atMs,
    exitStatus: amountAt(body['exit_status']),
    code: numberAt(body['code']),
    signal: textAt(body['signal'], 32),
    coreDumped: body['core_dumped'] === true,
    reason: REASONS.has(body['reason']) ? (body['reason'] as Reason) : 'unknown',
    why: textAt(body['why']),
    by: isFields(body['by']) ? body['by'] : null,
    elapsedMs: amountAt(body['elapsed_ms']) ?? 0,
    suspendedMs: amountAt(body['suspended_ms']) ?? 0,
    userSec: amountAt(usage['user_sec']) ?? 0,
    systemSec: amountAt(usage['system_sec']) ?? 0,
    cpuPercent: amountAt(usage['cpu_percent']) ?? 0,
    memoryPeakBytes: cgroupPeak ?? amountAt(usage['memory_peak_bytes']) ?? 0,
    rssPeakBytes: amountAt(usage['memory_peak_bytes']) ?? 0,
    memoryPeakExact: cgroupPeak !== null && usage['cgroup_memory_peak_exact'] === true,
    processesPeak: amountAt(usage['processes_peak']),
    threadsPeak: amountAt(usage['threads_peak']),
    oomKills: amountAt(objectAt(usage['oom'])['kills']),
    forksRefused: amountAt(usage['forks_refused']),
    throttledMs: amountAt(throttling['throttled_ms']),
    throttledPeriods: amountAt(throttling['throttled_periods']),
    periods: amountAt(throttling['periods']),
    stalledUsec: { cpu: stalledUsec('cpu'), memory: stalledUsec('memory'), io: stalledUsec('io') },
    readBytes: amountAt(usage['read_bytes']) ?? 0,
    writeBytes: amountAt(usage['write_bytes']) ?? 0,
    stdoutBytes: amountAt(usage['stdout_bytes']) ?? 0,
    limits: usedLimits(body['limits']),
    dropped: amountAt(body['dropped']) ?? 0,
  };
}

function usedLimits(value: unknown): EndReport['limits'] {
  const table = objectAt(value);
  const limits: Record<string, EndReport['limits'][string]> = Object.create(null);
  for (const name of Object.keys(readLimits(value))) {
    const status = objectAt(table[name]);
    limits[name] = { ...readLimit(status), used: amountAt(status['used']) };
  }
  return limits;
}
