import type { EventHead, Exited, TotalUsage, UsedLimit } from '../model/event.js';
import { amount, bytes, duration, limitAmount } from '../options/amounts.js';
import { printable } from '../text.js';
import { askedBy } from './audit.js';

const WIDTH = 80;

/**
 * Formats the `exited` event for people. `--report` prints it on stderr.
 *
 * @returns lines of at most 80 columns, each with its newline
 */
export function formatReport(event: EventHead & Exited): string {
  const lines = [`proc_box: end of job ${event.identity.job}`, ...summary(event), ...limitLines(event.limits)];
  return lines.map((line) => `${fit(line, WIDTH)}\n`).join('');
}

function summary(event: EventHead & Exited): string[] {
  const { usage, identity } = event;
  const where = [identity.step, identity.task].some((part) => part !== null)
    ? `, step ${identity.step ?? '-'}, task ${identity.task ?? '-'}`
    : '';
  const again = identity.restart > 0 ? `, restart ${identity.restart}` : '';
  const rows: readonly (readonly [string, string])[] = [
    ['box', `${identity.box} on ${identity.host}, user ${identity.user}`],
    [
      'scheduler',
      `${identity.scheduler}${identity.cluster === null ? '' : `, cluster ${identity.cluster}`}${where}${again}`,
    ],
    ['ended', `${event.reason}: ${howItEnded(event)}`],
    ...(event.by === null ? [] : ([['asked by', askedBy(event.by)]] as const)),
    ['exit status', `${event.exit_status}`],
    ['elapsed', elapsed(event)],
    [
      'CPU',
      `${seconds(usage.user_sec)} user + ${seconds(usage.system_sec)} system, ${usage.cpu_percent} % of one core`,
    ],
    ...throttled(usage),
    ['memory peak', `${bytes(usage.memory_peak_bytes)}, largest process ${bytes(usage.process_memory_peak_bytes)}`],
    ...cgroupMemory(usage),
    ['read', `${bytes(usage.read_bytes)} from storage in ${usage.read_count} calls`],
    ['written', `${bytes(usage.write_bytes)} to storage in ${usage.write_count} calls`],
    ['stdout', bytes(usage.stdout_bytes)],
    ['processes', processes(usage)],
    ...stalled(usage),
    ...(event.refused_commands > 0 ? ([['refused', `${event.refused_commands} commands`]] as const) : []),
    ...event.left.map(({ pid, name, reason }) => ['left behind', `pid ${pid} (${name}): ${reason}`] as const),
    ...(event.dropped > 0 ? ([['dropped', `${event.dropped} messages to the broker`]] as const) : []),
  ];
  return rows.map(([name, text]) => `  ${name.padEnd(12)} ${text}`);
}

function howItEnded(event: Exited): string {
  if (event.signal !== null) return `${event.signal}${event.core_dumped ? ', core dumped' : ''}`;
  return event.code === null ? 'how is unknown' : `code ${event.code}`;
}

type Rows = readonly (readonly [string, string])[];

function throttled({ throttling }: TotalUsage): Rows {
  if (throttling === null || throttling.throttled_periods === 0) return [];
  const { periods, throttled_periods, throttled_ms } = throttling;
  return [['throttled', `${duration(throttled_ms)}, in ${throttled_periods} of ${periods} periods`]];
}

function cgroupMemory({ cgroup_memory_peak_bytes: peak, cgroup_memory_peak_exact: exact, oom }: TotalUsage): Rows {
  return [
    ...(peak === null
      ? []
      : ([['with cache', `${bytes(peak)} with page cache and kernel memory${exact ? '' : ', as sampled'}`]] as const)),
    ...(oom === null || oom.kills === 0
      ? []
      : ([['OOM', `${oom.kills} ${oom.kills === 1 ? 'process' : 'processes'} killed by the kernel`]] as const)),
  ];
}

function processes({ processes_peak, threads_peak, tasks_peak, forks_refused }: TotalUsage): string {
  const threads = `threads ${Math.max(threads_peak, tasks_peak ?? 0)} at most`;
  const refused = forks_refused !== null && forks_refused > 0 ? `, ${forks_refused} forks refused` : '';
  return `${processes_peak} at most, ${threads}${refused}`;
}

function stalled({ stalled_usec: all }: TotalUsage): Rows {
  if (all === null) return [];
  const parts = (
    [
      ['CPU', all.cpu],
      ['memory', all.memory],
      ['I/O', all.io],
    ] as const
  ).flatMap(([name, one]) => (one === null ? [] : [`${name} ${duration(one.some / 1000)}`]));
  return parts.length === 0 ? [] : [['stalled for', parts.join(', ')]];
}

function elapsed(event: Exited): string {
  const suspended = event.suspended_ms > 0 ? `, ${duration(event.suspended_ms)} of it suspended` : '';
  return `${duration(event.elapsed_ms)}${suspended}`;
}

function limitLines(limits: Exited['limits']): string[] {
  const names = Object.keys(limits);
  if (names.length === 0) return [];
  const row = (name: string, limit: string, used: string, share: string, by: string) =>
    `  ${fit(name, 12).padEnd(12)} ${fit(limit, 21).padStart(21)} ${fit(used, 16).padStart(16)} ${share.padStart(5)}  ${by}`;
  return [
    row('limit', 'value', 'used', '%', 'held by'),
    ...names.map((name) => {
      const limit = limits[name] as UsedLimit;
      return row(name, limitAmount(limit), usedValue(limit), percent(limit), limit.enforcement);
    }),
  ];
}

function usedValue(limit: UsedLimit): string {
  return limit.used === null ? '-' : amount(limit.used, limit.unit);
}

function percent(limit: UsedLimit): string {
  if (limit.used === null || typeof limit.value !== 'number' || limit.value <= 0) return '-';
  return `${Math.round((limit.used / limit.value) * 100)}`;
}

function seconds(sec: number): string {
  return duration(sec * 1000);
}

function fit(text: string, width: number): string {
  const plain = printable(text);
  return plain.length <= width ? plain : `${plain.slice(0, width - 3)}...`;
}
