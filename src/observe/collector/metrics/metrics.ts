import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { IntakeCounts } from '../consume/intake.js';
import type { LiveBox } from '../live/box.js';
import { F } from '../live/figures.js';
import { totalsOf } from '../live/row.js';
import { type JobFigures, jobFigures, topJobs } from './top-jobs.js';

/**
 * `/metrics` for Prometheus: the collector itself, sums over all boxes, and the jobs and users that use the most. The number of
 * series is bounded; a box that has ended leaves with the live table. Names and units follow the conventions of exporters.
 */

export interface MetricsSource {
  readonly boxes: () => Iterable<LiveBox>;
  readonly counts: () => IntakeCounts | null;
  readonly waiting: () => number;
  readonly isBrokerUp: () => boolean;
  readonly isStoreUp: () => boolean;
  /** Bytes on disk; null while the store is not open. */
  readonly storeBytes: () => Promise<number | null>;
  readonly streams: () => number;
  /** Ended boxes by reason, and OOM kills, since the collector started. */
  readonly ended: () => ReadonlyMap<string, number>;
  readonly alerts: () => ReadonlyMap<string, number>;
  readonly topCount: number;
  readonly version: string;
}

const JOB = ['cluster', 'user', 'job'] as const;

/** Series of a job: name, help, and its value; NaN leaves the series out. Names with `_total` are counters. */
const JOB_SERIES: readonly (readonly [name: string, help: string, value: (job: JobFigures) => number])[] = [
  ['boxes', 'Running boxes of the job', ({ boxes }) => boxes],
  ['hosts', 'Hosts with running boxes of the job', ({ hosts }) => hosts.size],
  ['silent_boxes', 'Boxes of the job that have not ended, but send nothing', ({ silentBoxes }) => silentBoxes],
  ['cpu_used_cores', 'CPUs that the job uses now', ({ cpuUsedCores }) => cpuUsedCores],
  ['cpu_limit_cores', 'CPUs that the job may use', ({ cpuLimitCores }) => cpuLimitCores],
  ['cpu_seconds_total', 'CPU time of the job', ({ cpuSeconds }) => cpuSeconds],
  [
    'cpu_throttled_seconds_total',
    'Time in which the CPU limit throttled the job',
    ({ throttledSeconds }) => throttledSeconds,
  ],
  ['memory_used_bytes', 'Memory of the job that counts against its limit', ({ memoryUsedBytes }) => memoryUsedBytes],
  ['memory_peak_bytes', 'Sum of the peaks of its boxes', ({ memoryPeakBytes }) => memoryPeakBytes],
  ['memory_limit_bytes', 'Sum of the limits of its boxes', ({ memoryLimitBytes }) => memoryLimitBytes],
  [
    'memory_used_ratio',
    'Highest share of its memory limit that a box of the job uses',
    ({ memoryUsedRatio }) => memoryUsedRatio,
  ],
  ['oom_kills_total', 'Processes that the kernel killed for lack of memory', ({ oomKills }) => oomKills],
  ['io_read_bytes_total', 'Bytes read from storage', ({ readBytes }) => readBytes],
  ['io_written_bytes_total', 'Bytes written to storage', ({ writtenBytes }) => writtenBytes],
  ['elapsed_seconds', 'Time that the job has run', ({ elapsedSeconds }) => elapsedSeconds],
  [
    'time_used_ratio',
    'Highest share of its time limit that a box of the job has used',
    ({ timeUsedRatio }) => timeUsedRatio,
  ],
  ['lost_messages_total', 'Messages that its boxes had to drop', ({ lostMessages }) => lostMessages],
];

export function createMetrics(source: MetricsSource): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'proc_box_collector_' });
  // Gauges that are named like counters, of which promtool complains.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`proc_box_collector_nodejs_active_${what}_total`);
  const gauge = (
    name: string,
    help: string,
    collect: (this: Gauge) => void | Promise<void>,
    labelNames: readonly string[] = [],
  ) => new Gauge({ name: `proc_box_${name}`, help, registers, labelNames: [...labelNames], collect });
  const counter = (name: string, help: string, collect: (this: Counter) => void, labelNames: readonly string[] = []) =>
    new Counter({ name: `proc_box_${name}`, help, registers, labelNames: [...labelNames], collect });
  new Gauge({
    name: 'proc_box_collector_info',
    help: 'Version of the collector',
    registers,
    labelNames: ['version'],
  }).set({ version: source.version }, 1);
  ownMetrics(source, gauge, counter);
  siteMetrics(source, gauge);
  jobMetrics(source, registers);
  return registry;
}

type MakeGauge = (
  name: string,
  help: string,
  collect: (this: Gauge) => void | Promise<void>,
  labels?: readonly string[],
) => void;
type MakeCounter = (name: string, help: string, collect: (this: Counter) => void, labels?: readonly string[]) => void;

function ownMetrics(source: MetricsSource, gauge: MakeGauge, counter: MakeCounter): void {
  const counted = (name: string, help: string, value: (counts: IntakeCounts) => number) =>
    counter(name, help, function () {
      this.reset();
      const counts = source.counts();
      this.inc(counts === null ? 0 : value(counts));
    });
  counted('collector_samples_total', 'Samples received, each once', ({ samples }) => samples);
  counted('collector_events_total', 'Events received, each once', ({ events }) => events);
  counted('collector_duplicate_messages_total', 'Messages that were delivered again', ({ duplicates }) => duplicates);
  counted(
    'collector_unkept_events_total',
    'Events not stored because their box has too many',
    ({ eventsNotKept }) => eventsNotKept,
  );
  counted('collector_commits_total', 'Transactions of the store', ({ commits }) => commits);
  counted('collector_commit_errors_total', 'Transactions that the store refused', ({ commitErrors }) => commitErrors);
  gauge('collector_last_commit_seconds', 'Time that the last transaction took', function () {
    this.set(source.counts()?.commitSeconds ?? 0);
  });
  byName(
    counter,
    'collector_refused_messages_total',
    'Messages that are not from proc_box, or that claim the identity of another box',
    'reason',
    () => Object.entries(source.counts()?.refused ?? {}),
  );
  byName(
    counter,
    'ended_boxes_total',
    'Boxes that have ended, by termination reason, since the collector started',
    'reason',
    source.ended,
  );
  byName(counter, 'alerts_total', 'Alerts that were raised since the collector started', 'alert', source.alerts);
  const simple = (name: string, help: string, value: () => number) =>
    gauge(name, help, function () {
      this.set(value());
    });
  simple('collector_waiting_messages', 'Messages that wait for a transaction', source.waiting);
  simple('collector_broker_up', '1 if the connection to the broker is up', () => Number(source.isBrokerUp()));
  simple('collector_store_up', '1 if the store accepts data', () => Number(source.isStoreUp()));
  simple('collector_streams', 'Pages that receive live updates', source.streams);
  gauge('collector_store_bytes', 'Size of the store', async function () {
    const bytes = await source.storeBytes();
    this.reset();
    if (bytes !== null) this.set(bytes);
  });
}

function byName(
  counter: MakeCounter,
  name: string,
  help: string,
  label: string,
  values: () => Iterable<readonly [string, number]>,
): void {
  counter(
    name,
    help,
    function () {
      this.reset();
      for (const [text, value] of values()) this.inc({ [label]: text }, value);
    },
    [label],
  );
}

function siteMetrics({ boxes }: MetricsSource, gauge: MakeGauge): void {
  // prom-client asks each metric in the same tick, so that one look at the boxes serves all of them.
  let known: { readonly atMs: number; readonly totals: ReturnType<typeof totalsOf> } | undefined;
  const totals = () => {
    const atMs = Date.now();
    if (known === undefined || atMs - known.atMs > 100) known = { atMs, totals: totalsOf(boxes(), atMs) };
    return known.totals;
  };
  const simple = (name: string, help: string, value: (of: ReturnType<typeof totalsOf>) => number) =>
    gauge(name, help, function () {
      this.set(value(totals()));
    });
  gauge(
    'boxes',
    'Boxes in the live table',
    function () {
      this.reset();
      for (const state of ['starting', 'running', 'suspended', 'stopping', 'ended'])
        this.set({ state }, totals().by_state[state] ?? 0);
    },
    ['state'],
  );
  simple('running_jobs', 'Jobs with running boxes', ({ jobs }) => jobs);
  simple('active_users', 'Users with running boxes', ({ users }) => users);
  simple('active_hosts', 'Hosts with running boxes', ({ hosts }) => hosts);
  simple('silent_boxes', 'Boxes that have not ended, but send nothing', ({ silent }) => silent);
  simple('cpu_used_cores', 'CPUs that all boxes use now', ({ cpu_percent }) => cpu_percent / 100);
  simple(
    'memory_used_bytes',
    'Memory of all boxes that counts against their limits',
    ({ memory_bytes }) => memory_bytes,
  );
  simple(
    'memory_limits_bytes',
    'Sum of the memory limits of all boxes',
    ({ memory_limit_bytes }) => memory_limit_bytes,
  );
  simple(
    'io_read_bytes_per_second',
    'Bytes that all boxes read from storage',
    ({ read_bytes_per_sec }) => read_bytes_per_sec,
  );
  simple(
    'io_written_bytes_per_second',
    'Bytes that all boxes write to storage',
    ({ write_bytes_per_sec }) => write_bytes_per_sec,
  );
  simple('running_processes', 'Processes of all boxes', ({ processes }) => processes);
}

function jobMetrics({ boxes, topCount }: MetricsSource, registers: Registry[]): void {
  // Metrics are asked in the order in which they were made, and this one sets the others.
  new Gauge({
    name: 'proc_box_top_jobs',
    help: 'Jobs that have their own series',
    registers,
    collect() {
      const jobs = jobFigures(boxes(), Date.now());
      const top = topJobs(jobs.values(), topCount);
      for (const { metric, value } of metrics) setAll(metric, top, value);
      setUsers(users, jobs.values(), topCount);
      setHosts(hosts, boxes(), topCount);
      this.set(top.length);
    },
  });
  const metrics = JOB_SERIES.map(([name, help, value]) => {
    const options = {
      name: `proc_box_job_${name}`,
      help: `${help}; of the jobs that use the most`,
      registers,
      labelNames: JOB,
    };
    return { value, metric: name.endsWith('_total') ? new Counter(options) : new Gauge(options) };
  });
  const groups = (kind: string) =>
    ['cpu_used_cores', 'memory_used_bytes', 'boxes'].map(
      (name) =>
        new Gauge({
          name: `proc_box_${kind}_${name}`,
          help: `${name} of the ${kind}s that use the most memory`,
          registers,
          labelNames: [kind],
        }),
    );
  const users = groups('user');
  const hosts = groups('host');
}

function setAll(
  metric: Gauge<string> | Counter<string>,
  top: readonly JobFigures[],
  value: (job: JobFigures) => number,
): void {
  metric.reset();
  for (const job of top) {
    const amount = value(job);
    // A limit of infinity and an unknown value have no series.
    if (Number.isFinite(amount)) metric.inc({ cluster: job.cluster, user: job.user, job: job.job }, amount);
  }
}

/** CPUs in use, memory in use, and boxes, of a user or host. */
type GroupFigures = readonly [cores: number, bytes: number, boxes: number];

function setUsers(gauges: readonly Gauge<string>[], jobs: Iterable<JobFigures>, count: number): void {
  const byUser = new Map<string, GroupFigures>();
  for (const { user, cpuUsedCores, memoryUsedBytes, boxes } of jobs) {
    addTo(byUser, user, [cpuUsedCores, memoryUsedBytes, boxes]);
  }
  setLargest(gauges, 'user', byUser, count);
}

function setHosts(gauges: readonly Gauge<string>[], boxes: Iterable<LiveBox>, count: number): void {
  const byHost = new Map<string, GroupFigures>();
  for (const { identity, figures, end } of boxes) {
    if (end !== null) continue;
    addTo(byHost, identity.host, [(figures[F.cpuMilliPercent] || 0) / 1e5, figures[F.memoryBytes] || 0, 1]);
  }
  setLargest(gauges, 'host', byHost, count);
}

function addTo(groups: Map<string, GroupFigures>, name: string, more: GroupFigures): void {
  const [cores, bytes, boxes] = groups.get(name) ?? [0, 0, 0];
  groups.set(name, [cores + more[0], bytes + more[1], boxes + more[2]]);
}

/** The groups with the most memory get series, so that their number is bounded. */
function setLargest(
  gauges: readonly Gauge<string>[],
  label: string,
  groups: ReadonlyMap<string, GroupFigures>,
  count: number,
): void {
  const top = [...groups].sort(([, one], [, other]) => other[1] - one[1]).slice(0, count);
  for (const [index, gauge] of gauges.entries()) {
    gauge.reset();
    for (const [name, figures] of top) gauge.set({ [label]: name }, figures[index]!);
  }
}
