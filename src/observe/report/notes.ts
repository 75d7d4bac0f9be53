import { bytes, counted, duration } from '../../options/amounts.js';
import type { Note } from '../model/observed.js';
import { limitText } from '../source/words.js';
import { coresToAsk, memoryToAsk, timeToAsk } from './advice.js';
import type { BoxFacts } from './facts.js';
import type { JobFigures } from './figures.js';
import { type Group, percentOf, ranMs } from './group.js';
import type { Thresholds } from './thresholds.js';

/** Remarks on a job in plain words: what has cost it something, and what to ask for next time. */

type Remark = (report: JobFigures, thresholds: Thresholds) => readonly Note[];

/** @returns the most important first */
export function notesFor(report: JobFigures, thresholds: Thresholds): readonly Note[] {
  const rank = { warning: 0, advice: 1, info: 2 };
  return REMARKS.flatMap((remark) => remark(report, thresholds)).sort((a, b) => rank[a.severity] - rank[b.severity]);
}

const note = (severity: Note['severity'], code: string, text: string): readonly Note[] => [{ code, severity, text }];

const outOfMemory: Remark = ({ boxes, total }, { margin }) => {
  const killed = boxes.filter(({ oomKills, reason }) => (oomKills ?? 0) > 0 || reason === 'oom' || reason === 'memory');
  if (killed.length === 0) return [];
  const limit = Math.max(...killed.map(({ memoryLimitBytes }) => memoryLimitBytes ?? 0));
  const where = boxes.length === 1 ? '' : ` in ${counted(killed.length, 'box', 'boxes')} (${places(killed)})`;
  const ask =
    limit > 0
      ? `: the limit was ${bytes(limit)}; ask for ${bytes(memoryToAsk(limit, Math.max(margin, 25)))}, or make the job need less`
      : ': the host or the scheduler had no more memory; ask for more';
  return note('warning', 'oom', `memory ran out${where}, ${kills(total.oomKills)}${ask}`);
};

function kills(count: number): string {
  return count === 0 ? 'and the job was stopped' : `the kernel killed ${counted(count, 'process', 'processes')}`;
}

const memoryUse: Remark = ({ total, boxes }, thresholds) => {
  const { memoryPeakBytes: used, memoryLimitBytes: asked, memoryPercent: percent } = total;
  if (asked === null || percent === null || isCut(boxes)) return [];
  const each = boxes.length > 1 ? ' in each box' : '';
  if (percent >= thresholds['memory-tight']) {
    const more = memoryToAsk(Math.max(used, asked * 0.95), thresholds.margin);
    return note(
      'advice',
      'memory_tight',
      `memory: ${bytes(used)} of ${bytes(asked)} used${each}: ask for ${bytes(more)} to be on the safe side`,
    );
  }
  const less = memoryToAsk(used, thresholds.margin);
  const little = percent < thresholds['memory-unused'] && asked - used >= thresholds['memory-least'];
  if (!little || less >= asked || isShort(total, thresholds)) return [];
  const most = boxes.length > 1 ? 'at most ' : '';
  return note(
    'advice',
    'memory_unused',
    `memory: asked for ${bytes(asked)}${each}, used ${most}${bytes(used)}: ask for ${bytes(less)}`,
  );
};

/** Page cache fills whatever there is. The kernel drops it when the job needs the memory. */
const cacheUse: Remark = ({ boxes, total }, thresholds) => {
  const full = boxes.filter(
    ({ chargedPeakBytes, memoryLimitBytes, memoryPeakBytes }) =>
      (percentOf(chargedPeakBytes, memoryLimitBytes) ?? 0) >= 95 &&
      (percentOf(memoryPeakBytes, memoryLimitBytes) ?? 0) < thresholds['memory-tight'],
  );
  if (full.length === 0 || total.oomKills > 0) return [];
  return note(
    'info',
    'memory_cache',
    'memory: the page cache of files filled the rest of the limit, which is harmless: the kernel drops it when the job needs the memory',
  );
};

const cpuUse: Remark = ({ total, boxes, nodes }, thresholds) => {
  const { coresAsked: asked, coresUsed: used, cpuPercent: percent } = total;
  if (asked === null || percent === null || percent >= thresholds['cpu-unused'] || isShort(total, thresholds))
    return [];
  const share = `${round(percent)} %`;
  if (asked <= 1)
    return note(
      'info',
      'cpu_unused',
      `CPU: the one core was used for ${share} of the time: the job waits for something else`,
    );
  const less = coresToAsk(used, thresholds.margin);
  if (less >= asked) return [];
  const serial = used <= 1.1 && asked > 1 && boxes.length === 1 ? '; the job seems able to use only one' : '';
  const split = nodes.length > 1 ? `, on ${nodes.length} nodes` : '';
  return note(
    'advice',
    'cpu_unused',
    `CPU: asked for ${cores(asked)}${split}, used ${round(used)} on average (${share}): ask for ${less}${serial}`,
  );
};

const idleNodes: Remark = ({ nodes, total }, thresholds) => {
  if (nodes.length < 2 || isShort(total, thresholds)) return [];
  const isIdle = ({ cpuPercent, coresUsed }: Group) => (cpuPercent ?? coresUsed * 100) < thresholds['node-idle'];
  const idle = nodes.filter(isIdle);
  if (idle.length === 0 || idle.length === nodes.length) return [];
  return note(
    'warning',
    'node_idle',
    `${idle.length} of ${nodes.length} nodes were almost idle: ${names(idle.map(({ name }) => name))}: does the job use them?`,
  );
};

const throttling: Remark = ({ boxes }, thresholds) => {
  const held = boxes.filter(
    ({ throttledMs, elapsedMs }) => (percentOf(throttledMs ?? 0, elapsedMs) ?? 0) >= thresholds.throttled,
  );
  if (held.length === 0) return [];
  const worst = held.reduce((most, box) => ((box.throttledMs ?? 0) > (most.throttledMs ?? 0) ? box : most));
  const where = boxes.length === 1 ? '' : ` in ${held.length} of ${boxes.length} boxes`;
  const limit = worst.cores === null ? 'the CPU limit' : `the limit of ${cores(worst.cores)}`;
  return note(
    'warning',
    'cpu_throttled',
    `CPU: ${limit} throttled threads for ${duration(worst.throttledMs ?? 0)}${where}: the job has more runnable threads than cores`,
  );
};

const timeUse: Remark = ({ total, boxes }, thresholds) => {
  const over = boxes.filter(({ reason }) => reason === 'timeout');
  const { timeUsedMs: used, timeLimitMs: limit } = total;
  if (over.length > 0) {
    const where = boxes.length === 1 ? '' : ` (${over.length} of ${boxes.length} boxes)`;
    return note(
      'warning',
      'time_over',
      `time: the limit of ${duration(over[0]!.timeLimitMs ?? used)} ended the job${where}: ask for more, or let the job save its state before that`,
    );
  }
  const percent = percentOf(used, limit);
  if (limit === null || percent === null || total.running > 0) return [];
  if (percent >= thresholds['time-tight']) {
    return note(
      'advice',
      'time_tight',
      `time: ${duration(used)} of ${duration(limit)} used: ask for ${duration(timeToAsk(limit, thresholds.margin))} to be on the safe side`,
    );
  }
  const less = timeToAsk(used, thresholds.margin);
  const isAsked = boxes.some(({ limits }) => limits['timeout']?.source !== 'default');
  if (percent >= thresholds['time-unused'] || less >= limit || !isAsked || isShort(total, thresholds)) return [];
  return note(
    'advice',
    'time_unused',
    `time: asked for ${duration(limit)}, used ${duration(used)}: ask for ${duration(less)}, and the job may start earlier`,
  );
};

const waiting: Remark = ({ boxes, total }, thresholds) => {
  if (isShort(total, thresholds)) return [];
  return (['memory', 'io'] as const).flatMap((resource) => {
    const worst = boxes.reduce(
      (most, box) => Math.max(most, percentOf(box.stalledMs[resource] ?? 0, ranMs(box)) ?? 0),
      0,
    );
    if (worst < thresholds.waits) return [];
    return resource === 'io'
      ? note('info', 'io_wait', `I/O: tasks waited for storage for ${round(worst)} % of the time`)
      : note(
          'warning',
          'memory_wait',
          `memory: tasks waited for memory for ${round(worst)} % of the time: the limit slows the job down; ask for more`,
        );
  });
};

const refusedForks: Remark = ({ boxes }) => {
  const refused = boxes.filter(({ forksRefused, reason }) => (forksRefused ?? 0) > 0 || reason === 'pids');
  if (refused.length === 0) return [];
  const limit = refused[0]!.limits['pids'];
  return note(
    'warning',
    'pids_refused',
    `processes: ${limit === undefined ? 'a limit' : `the limit of ${limitText(limit)}`} refused new ones in ${counted(refused.length, 'box', 'boxes')}: ask for more (--pids)`,
  );
};

const stdoutLimit: Remark = ({ boxes }) =>
  boxes.some(({ reason }) => reason === 'stdoutlimit')
    ? note(
        'warning',
        'stdout_limit',
        'stdout: the limit on output ended the job: write less, or write to a separate file (--stdoutlimit)',
      )
    : [];

const suspension: Remark = ({ boxes }, { suspended }) => {
  const worst = boxes.reduce((most, box) => ((box.suspendedMs ?? 0) > (most.suspendedMs ?? 0) ? box : most));
  if ((percentOf(worst.suspendedMs ?? 0, worst.elapsedMs) ?? 0) < suspended) return [];
  return note(
    'info',
    'suspended',
    `the job was suspended for ${duration(worst.suspendedMs ?? 0)} of ${duration(worst.elapsedMs)}`,
  );
};

/** A limit that nothing holds, or only a look now and then, may be passed. */
const weakLimits: Remark = ({ boxes }) => {
  const weak = new Map<string, string>();
  for (const { limits } of boxes) {
    for (const [name, { enforcement, source }] of Object.entries(limits)) {
      // Nobody has asked for the defaults, such as that on a stdout that is no file and no pipe.
      if (source === 'default') continue;
      if (enforcement === 'none' || enforcement === 'watchdog') weak.set(name, enforcement);
    }
  }
  return [...weak].flatMap(([name, enforcement]) =>
    enforcement === 'none'
      ? note(
          'warning',
          'limit_weak',
          `limit ${name}: nothing enforced it on this host; "proc_box check" says what would`,
        )
      : note(
          'info',
          'limit_weak',
          `limit ${name}: proc_box itself enforced it, because no control group could; the job may have exceeded it briefly`,
        ),
  );
};

const dropped: Remark = ({ boxes }) => {
  const count = boxes.reduce((total, box) => total + box.dropped, 0);
  return count === 0
    ? []
    : note(
        'info',
        'messages_dropped',
        `${counted(count, 'message')} of the job did not reach the broker: the figures in between are missing, but the totals here are complete`,
      );
};

const incomplete: Remark = ({ total, earlier, endedMs }) => [
  ...(endedMs === null
    ? note(
        'info',
        'running',
        `${counted(total.running, 'box has', 'boxes have')} not ended, or not reported it: these are the figures so far`,
      )
    : []),
  ...(earlier > 0
    ? note(
        'info',
        'restarted',
        `the scheduler has restarted the job: ${counted(earlier, 'box', 'boxes')} of earlier runs are not counted here`,
      )
    : []),
];

const REMARKS: readonly Remark[] = [
  outOfMemory,
  timeUse,
  memoryUse,
  cacheUse,
  cpuUse,
  idleNodes,
  throttling,
  waiting,
  refusedForks,
  stdoutLimit,
  suspension,
  weakLimits,
  dropped,
  incomplete,
];

/** Too short to tell what such a job needs. */
function isShort({ wallMs }: Group, thresholds: Thresholds): boolean {
  return wallMs < thresholds['least-time'];
}

/** The job was stopped for its memory, so its peak says nothing about what it needs. */
function isCut(boxes: readonly BoxFacts[]): boolean {
  return boxes.some(({ reason, oomKills }) => reason === 'oom' || reason === 'memory' || (oomKills ?? 0) > 0);
}

function places(boxes: readonly BoxFacts[]): string {
  return names([...new Set(boxes.map(({ identity }) => identity.node ?? identity.host))]);
}

const NAMES_MAX = 4;

function names(all: readonly string[]): string {
  const shown = all.slice(0, NAMES_MAX).join(', ');
  return all.length > NAMES_MAX ? `${shown} and ${all.length - NAMES_MAX} more` : shown;
}

export function cores(count: number): string {
  return `${round(count)} ${count === 1 ? 'core' : 'cores'}`;
}

/** `0.04`, `3.2`, `47`: as many digits as tell something. */
export function round(value: number): string {
  const digits = value >= 10 ? 0 : value >= 0.1 ? 1 : 2;
  return `${Number(value.toFixed(digits))}`;
}
