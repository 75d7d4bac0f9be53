import type { Box } from '../box/box.js';
import type { BoxEnd } from '../box/box-options.js';
import type { Outcome } from '../box/outcome.js';
import { duration, limitAmount } from '../options/amounts.js';
import type { BoxSpec } from '../options/spec.js';
import { formatReport } from '../stats/report.js';
import { printable } from '../text.js';

/** The lines on stderr about the end: the report if it was asked for, why the job ended, and how long it ran. */
export function endLines({ outcome, elapsedMs, why, report }: BoxEnd, spec: BoxSpec): string {
  const lines = spec.report && report !== null ? formatReport(report) : '';
  // The keeper's death has been logged as an error.
  const told = why !== null && outcome.reason !== 'failed' && (!spec.quiet || isBoxesDoing(outcome));
  const line = told ? `proc_box: ${printable(why)}\n` : '';
  return `${lines}${line}${spec.quiet ? '' : `Task elapsed time: ${(elapsedMs / 1000).toFixed(2)} seconds.\n`}`;
}

/** Whether a limit of the box or a command to it has ended the job. */
function isBoxesDoing({ by }: Outcome): boolean {
  return by?.via === 'limit' || by?.via === 'amqp';
}

/** The line that names the job, the box and its limits. */
export function startLine(box: Box, spec: BoxSpec): string {
  const { timeoutMs, timeoutSource } = spec;
  const timeout = timeoutMs === 0 ? 'no wall clock limit' : `wall clock limit ${duration(timeoutMs)}`;
  const limits = [...box.limits]
    .filter(([name, { value }]) => name !== 'timeout' && value !== 'unlimited')
    .map(([name, limit]) => `${name}=${limitAmount(limit)} (${limit.enforcement})`);
  const { job, step, task, box: id } = box.identity;
  const where = `${step === null ? '' : ` step ${step}`}${task === null ? '' : ` task ${task}`}`;
  return `job ${job}${where} started in box ${id}, pid ${box.pid}: ${[`${timeout} (${timeoutSource})`, ...limits].join(', ')}`;
}
