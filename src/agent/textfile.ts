import { renameSync, writeFileSync } from 'node:fs';
import { describeError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Sample } from '../model/sample.js';

/**
 * The boxes of this node for Prometheus, as a file for the textfile collector of its node_exporter. Series carry only job and user;
 * the rest of an identity is in `proc_box_box_info`, to be joined. The boxes of a job on this node are added up.
 */

/** What the file needs of the agent. */
export interface TextfileStatus {
  readonly boxes: number;
  readonly isBrokerUp: boolean | null;
  readonly outboxMessages: number | null;
  readonly droppedMessages: number | null;
}

type Figure = (sample: Sample) => number | null | undefined;

const limit =
  (name: string, scale = 1): Figure =>
  ({ Limits }) => {
    const value = Limits[name]?.value;
    return typeof value === 'number' ? value * scale : null;
  };
const stalled =
  (resource: 'cpu' | 'memory' | 'io', kind: 'some' | 'full'): Figure =>
  ({ Pressure }) => {
    if (Pressure?.scope !== 'cgroup') return null;
    const usec = Pressure[resource]?.[kind]?.total_usec;
    return usec === undefined ? null : usec / 1e6;
  };

/** Name without `proc_box_`, labels beside job and user, help, and the value of a box; null leaves it out. */
const SERIES: readonly (readonly [name: string, labels: string, help: string, value: Figure])[] = [
  ['cpu_seconds_total', 'mode="user"', 'CPU time of the job on this node', ({ CPUTimes }) => CPUTimes.user],
  ['cpu_seconds_total', 'mode="system"', '', ({ CPUTimes }) => CPUTimes.system],
  [
    'cpu_throttled_seconds_total',
    '',
    'Time in which the CPU limit throttled the job',
    ({ Throttling }) => Throttling && Throttling.throttled_ms / 1e3,
  ],
  ['cpu_limit_cores', '', 'CPUs that the job may use', limit('cpus')],
  ['memory_rss_bytes', '', 'Resident memory', ({ Memory }) => Memory.rss],
  [
    'memory_used_bytes',
    '',
    'Memory that counts against the limit',
    ({ Memory, MemoryCgroup }) => MemoryCgroup?.current ?? Memory.rss,
  ],
  ['memory_peak_bytes', '', 'Sum of the peaks of the boxes', ({ MemoryPeak }) => MemoryPeak.cgroup ?? MemoryPeak.rss],
  ['memory_limit_bytes', '', 'Memory that the job may use', limit('memory')],
  ['oom_kills_total', '', 'Processes that the kernel killed for lack of memory', ({ OOM }) => OOM?.kills],
  ['io_read_bytes_total', '', 'Bytes read from storage', ({ IOCounters }) => IOCounters.read_bytes],
  ['io_written_bytes_total', '', 'Bytes written to storage', ({ IOCounters }) => IOCounters.write_bytes],
  ['processes', '', 'Processes of the job', ({ Counts }) => Counts.processes],
  [
    'pressure_seconds_total',
    'resource="cpu",kind="some"',
    'Time in which tasks of the job waited',
    stalled('cpu', 'some'),
  ],
  ['pressure_seconds_total', 'resource="memory",kind="some"', '', stalled('memory', 'some')],
  ['pressure_seconds_total', 'resource="memory",kind="full"', '', stalled('memory', 'full')],
  ['pressure_seconds_total', 'resource="io",kind="some"', '', stalled('io', 'some')],
  ['pressure_seconds_total', 'resource="io",kind="full"', '', stalled('io', 'full')],
];

/** Where boxes of a job differ, the longest counts: adding up times of boxes that run at once means nothing. */
const LONGEST: readonly (readonly [name: string, help: string, value: Figure])[] = [
  ['elapsed_seconds', 'Time that the job has run', ({ Timer }) => Timer.elapsed_ms / 1e3],
  [
    'time_limit_seconds',
    'Time limit of the job',
    ({ Timer }) => (Timer.limit_ms === null ? null : Timer.limit_ms / 1e3),
  ],
];

/** @param samples the last sample of each box that runs. @returns the text of the file */
export function textfileOf(samples: readonly Sample[], status: TextfileStatus): string {
  const lines: string[] = [];
  const jobs = byJob(samples);
  let before = '';
  const head = (name: string, help: string) => {
    if (name === before) return;
    before = name;
    lines.push(
      `# HELP proc_box_${name} ${help}`,
      `# TYPE proc_box_${name} ${name.endsWith('_total') ? 'counter' : 'gauge'}`,
    );
  };
  for (const [name, labels, help, value] of SERIES) {
    head(name, help);
    for (const [job, boxes] of jobs) {
      const sum = joined(boxes, value, (one, other) => one + other);
      if (sum !== null) lines.push(`proc_box_${name}{${job}${labels === '' ? '' : `,${labels}`}} ${sum}`);
    }
  }
  for (const [name, help, value] of LONGEST) {
    head(name, help);
    for (const [job, boxes] of jobs) {
      const most = joined(boxes, value, Math.max);
      if (most !== null) lines.push(`proc_box_${name}{${job}} ${most}`);
    }
  }
  head('box_info', 'Identity of a box');
  for (const {
    Identity: { box, job, user, step, task, queue, cluster },
  } of samples) {
    const names = { box, job, user, step, task, partition: queue, cluster };
    lines.push(
      `proc_box_box_info{${Object.entries(names)
        .map(([name, text]) => label(name, text ?? ''))
        .join(',')}} 1`,
    );
  }
  for (const [name, help, value] of [
    ['agent_boxes', 'Boxes of this node', status.boxes],
    [
      'agent_broker_up',
      '1 if the link to the broker is up',
      status.isBrokerUp === null ? null : Number(status.isBrokerUp),
    ],
    ['agent_outbox_messages', 'Messages that the broker has not confirmed', status.outboxMessages],
    ['agent_dropped_messages_total', 'Messages that were dropped', status.droppedMessages],
  ] as const) {
    if (value === null) continue;
    head(name, help);
    lines.push(`proc_box_${name} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

function byJob(samples: readonly Sample[]): Map<string, Sample[]> {
  const jobs = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { job, user } = sample.Identity;
    const key = `${label('job', job)},${label('user', user)}`;
    jobs.set(key, [...(jobs.get(key) ?? []), sample]);
  }
  return jobs;
}

/** @returns null if a box does not know the figure: a sum without it would be wrong */
function joined(boxes: readonly Sample[], value: Figure, join: (one: number, other: number) => number): number | null {
  let result: number | null = null;
  for (const box of boxes) {
    const one = value(box);
    if (one == null || !Number.isFinite(one)) return null;
    result = result === null ? one : join(result, one);
  }
  return result;
}

/** Escapes what the text format does not take as it is. */
function label(name: string, text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return `${name}="${escaped}"`;
}

const INTERVAL_MS = 15_000;

/**
 * Writes the file from time to time, under another name first, so that nobody reads half of it.
 * @returns ends it
 */
export function writeTextfile(path: string, text: () => string, log: Logger, intervalMs = INTERVAL_MS): () => void {
  let isTold = false;
  const write = () => {
    try {
      // node_exporter reads names that end in `.prom`.
      writeFileSync(`${path}.new`, text(), { mode: 0o644 });
      renameSync(`${path}.new`, path);
      isTold = false;
    } catch (error) {
      if (!isTold)
        log.warn(
          `--textfile ${path}: ${(error as NodeJS.ErrnoException).code ?? describeError(error, false)}: cannot write the file; its metrics are out of date until that works`,
        );
      isTold = true;
    }
  };
  write();
  const timer = setInterval(write, intervalMs);
  return () => clearInterval(timer);
}
