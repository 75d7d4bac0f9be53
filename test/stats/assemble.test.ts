import t from 'tap';
import { processInfo } from '../../src/stats/assemble.js';
import { cgroupUsage, hostFacts, identity, row, samplerFixture, status, tree } from '../fixtures/samples.js';

/** One sample of hand-made figures. */
async function sampled(change: (sources: ReturnType<typeof samplerFixture>['sources']) => void = () => {}) {
  const { sampler, sources, emitted } = samplerFixture();
  change(sources);
  await sampler.take('request');
  return emitted[0]!.sample;
}

t.test('the old keys keep their names, units and order', async (t) => {
  const sample = await sampled();
  t.strictSame(Object.keys(sample).slice(0, 15), [
    ...['Host', 'Memory', 'CPUTimes', 'IOCounters', 'OpenFiles', 'NumThreads', 'Pid', 'ChildPids', 'CPUPercent'],
    ...['TimeUTC', 'TimeUnix', 'StdoutBytes', 'UserData', 'Version', 'Identity'],
  ]);
  t.strictSame(Object.keys(sample.Host).slice(0, 4), ['hostname', 'uptime', 'boot_time', 'procs']);
  t.match(sample, {
    Host: { ...hostFacts, uptime: 3864, procs: 77 },
    Identity: identity,
    UserData: { jobid: 42 },
    Pid: 100,
    NumThreads: 3,
    TimeUTC: '2026-11-23T16:42:42.333Z',
    TimeUnix: Math.floor(Date.UTC(2026, 10, 23, 16, 42, 42) / 1000),
    Cause: 'request',
    State: 'running',
    Limits: status.limits,
    StdoutMode: 'pipe',
  });
  t.match(sample.CPUTimes, { cpu: '', user: 2, system: 0.5, idle: 0, nice: 0, stolen: 0 });
});

t.test('the main process is not among the others', async (t) => {
  t.equal((await sampled()).ChildPids, null, 'null where there is none');
  const several = await sampled((sources) => {
    sources.tree = tree({ pids: [100, 101, 102] });
  });
  t.strictSame(several.ChildPids, [101, 102]);
  t.equal(several.Counts.processes, 3);
  const ended = await sampled((sources) => {
    sources.tree = tree({ pids: [101], openFiles: [] });
  });
  t.strictSame(ended.ChildPids, [101]);
  t.equal(ended.OpenFiles, null);
});

t.test('only as many rows as were asked for', async (t) => {
  const sample = await sampled((sources) => {
    sources.tree = tree({ rows: [row(100, 3), row(101, 2), row(102, 1)] });
  });
  t.strictSame(
    sample.Processes.map(({ pid }) => pid),
    [100, 101],
  );
  t.strictSame(processInfo(row(7, 100)), {
    pid: 7,
    ppid: 99,
    name: 'p7',
    state: 'S',
    threads: 1,
    rss: 100,
    vms: 200,
    user: 1.5,
    system: 0.25,
  });
});

t.test('what no group counts is null, and memory by kind is that of the processes', async (t) => {
  const sample = await sampled();
  t.match(sample, { MemoryCgroup: null, OOM: null, Throttling: null, Devices: null, Pressure: null });
  t.match(sample.Counts, { tasks: null, tasks_peak: null, forks_refused: null });
  t.match(sample.MemoryPeak, { cgroup: null, exact: false });
  t.strictSame(sample.MemoryDetail, { source: 'processes', anon: 600, file: 300, shmem: 100, kernel: null, pss: null });
  const unread = await sampled((sources) => {
    sources.tree = tree({ anonBytes: -1, fileBytes: -1, shmemBytes: -1, pssBytes: 5 });
  });
  t.match(unread.MemoryDetail, { anon: null, file: null, shmem: null, pss: 5 });
});

t.test('the figures of a group in the units of the message', async (t) => {
  const sample = await sampled((sources) => {
    sources.cgroup = cgroupUsage();
  });
  t.match(sample, {
    MemoryCgroup: { current: 5000, swap: 7 },
    MemoryPeak: { cgroup: 9000, exact: true },
    Counts: { tasks: 4, tasks_peak: 11, forks_refused: 2 },
    OOM: { events: 3, kills: 1 },
    Throttling: { periods: 100, throttled_periods: 40, throttled_ms: 1234.5 },
    Devices: [{ device: '8:0', read_count: 1, write_count: 2, read_bytes: 4096, write_bytes: 8192 }],
    MemoryDetail: { source: 'cgroup', kernel: 150 },
  });
});
