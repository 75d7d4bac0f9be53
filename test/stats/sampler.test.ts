import type { KeeperUsage } from 'cgroup-utils-native';
import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import { cgroupUsage, row, samplerFixture, tree, usage } from '../fixtures/samples.js';
import { schemaErrors } from '../fixtures/schemas.js';

t.test('a sample has the keys, types and units of the old proc_box first', async (t) => {
  const { sampler } = samplerFixture();
  const { sample, outgoing } = await sampler.take('start');
  const old = JSON.stringify(sample).split(',"Version":')[0];
  t.equal(
    old,
    '{"Host":{"hostname":"node1","uptime":3864,"boot_time":1795448298,"procs":77,"os":"linux","platform":"debian",' +
      '"platform_family":"debian","platform_version":"12.11","virtualization_system":"kvm","virtualization_role":"guest"},' +
      '"Memory":{"rss":1000,"vms":2000,"swap":10},' +
      '"CPUTimes":{"cpu":"","user":2,"system":0.5,"idle":0,"nice":0,"iowait":0,"irq":0,"softirq":0,"steal":0,"guest":0,' +
      '"guest_nice":0,"stolen":0},' +
      '"IOCounters":{"read_count":10,"write_count":20,"read_bytes":4096,"write_bytes":8192},' +
      '"OpenFiles":[{"path":"/dev/null","fd":0}],"NumThreads":3,"Pid":100,"ChildPids":null,"CPUPercent":250,' +
      '"TimeUTC":"2026-11-23T16:42:42.333Z","TimeUnix":1795452162,"StdoutBytes":0,"UserData":{"jobid":42}',
  );
  t.same(JSON.parse(outgoing.body), sample, 'the body is the sample');
  t.match(outgoing, { kind: 'sample', messageId: 'b0x1-1', type: 'proc_box.stats', timestamp: 1795452162 });
});

t.test('a sample matches its schema in every state', async (t) => {
  const pressure = { some: { avg10: 0.12, avg60: 1.74, total_usec: 11 }, full: null };
  const cases = {
    plain: samplerFixture(),
    'without user data': samplerFixture({ userData: undefined, rows: 0 }),
    'with pressure': samplerFixture({
      pressure: {
        files: () => [],
        read: () => ({ scope: 'cgroup', cpu: pressure, memory: { ...pressure, full: pressure.some }, io: null }),
      },
    }),
  };
  for (const [name, { sampler }] of Object.entries(cases)) {
    t.same(schemaErrors('sample', (await sampler.take('interval')).outgoing.body), [], name);
    t.same(schemaErrors('sample', sampler.final(usage({ userUsec: 3_000_000 })).outgoing.body), [], `${name}, final`);
  }
  const bare = samplerFixture();
  bare.sources.tree = tree({ pids: [], rows: [], openFiles: [], anonBytes: -1, fileBytes: -1, shmemBytes: -1 });
  const { sample } = await bare.sampler.take('signal');
  t.same(schemaErrors('sample', sample), [], 'nothing alive');
  t.match(sample, {
    ChildPids: null,
    OpenFiles: null,
    MemoryDetail: { anon: null, file: null, shmem: null, pss: null },
  });
});

t.test('the main process is Pid and every other live process is in ChildPids', async (t) => {
  const { sampler, sources } = samplerFixture();
  sources.tree = tree({ pids: [100, 101, 250, 102] });
  const { sample } = await sampler.take('interval');
  t.equal(sample.Pid, 100);
  t.same(sample.ChildPids, [101, 250, 102]);
  t.match(sample.Counts, { processes: 4, processes_peak: 4 });
});

t.test('CPU time of ended processes is kept', async (t) => {
  const { sampler, sources } = samplerFixture();
  await sampler.take('start');
  sources.tree = tree({ userUsec: 100_000, systemUsec: 0, readBytes: 1 });
  sources.usage = async () => usage({ userUsec: 5_000_000, systemUsec: 1_000_000, readBytes: 9_000, stdoutBytes: 77 });
  sources.atMs = 4000;
  const { sample } = await sampler.take('interval');
  t.equal(sample.CPUTimes.user, 5.1);
  t.equal(sample.CPUTimes.system, 1);
  t.equal(sample.IOCounters.read_bytes, 9_001);
  t.equal(sample.StdoutBytes, 77);
  t.equal(sample.CPUPercent, 180, '(6.1 - 2.5) s of CPU in 2 s');
});

t.test('no counter goes back while a process is between living and reaped', async (t) => {
  const { sampler, sources } = samplerFixture();
  const first = (await sampler.take('start')).sample;
  sources.tree = tree({ userUsec: 0, systemUsec: 600_000, readCount: 0, writeBytes: 0, guestUsec: 0 });
  sources.atMs = 3000;
  const second = (await sampler.take('interval')).sample;
  t.equal(second.CPUTimes.user, first.CPUTimes.user);
  t.equal(second.CPUTimes.system, 0.6);
  t.equal(second.IOCounters.read_count, first.IOCounters.read_count);
  t.equal(second.IOCounters.write_bytes, first.IOCounters.write_bytes);
  t.equal(second.CPUPercent, 10);
});

t.test('two samples at the same moment have a CPUPercent of 0, not NaN', async (t) => {
  const { sampler } = samplerFixture();
  await sampler.take('start');
  t.equal((await sampler.take('request')).sample.CPUPercent, 0);
});

t.test('memory is of now and its peak is kept', async (t) => {
  const { sampler, sources } = samplerFixture();
  sources.tree = tree({ rssBytes: 900_000, threads: 40, rows: [row(101, 700_000)] });
  await sampler.take('start');
  sources.tree = tree({ rssBytes: 1000 });
  const { sample } = await sampler.take('interval');
  t.equal(sample.Memory.rss, 1000);
  t.same(sample.MemoryPeak, { rss: 900_000, process_rss: 700_000, cgroup: null, exact: false });
  t.equal(sample.Counts.threads_peak, 40);
});

t.test('the final sample has no memory, the peak, and exact totals', async (t) => {
  const { sampler, sources, emitted } = samplerFixture();
  await sampler.take('start');
  sources.tree = tree({ rssBytes: 5e9 });
  sources.atMs = 3000;
  const end = usage({
    userUsec: 3_000_001,
    systemUsec: 700_002,
    maxRssBytes: 50_000,
    readCount: 11,
    writeCount: 21,
    readBytes: 5000,
    writeBytes: 9000,
    stdoutBytes: 123,
  });
  const { sample } = sampler.final(end);
  t.match(sample, {
    Cause: 'final',
    Memory: { rss: 0, vms: 0, swap: 0 },
    MemoryPeak: { rss: 50_000, process_rss: 50_000 },
    CPUTimes: { user: 3.000001, system: 0.700002 },
    IOCounters: { read_count: 11, write_count: 21, read_bytes: 5000, write_bytes: 9000 },
    StdoutBytes: 123,
    NumThreads: 0,
    ChildPids: null,
    OpenFiles: null,
    Processes: [],
    Pid: 100,
    Sequence: 2,
  });
  t.equal(sampler.final(usage()).sample, sample, 'there is one final sample');
  t.equal((await sampler.take('request')).sample, sample, 'and none after it');
  t.equal(emitted.length, 2);
});

t.test('a job too short for any other sample has a final one with a peak of one process', (t) => {
  const { sampler } = samplerFixture();
  const { sample } = sampler.final(usage({ userUsec: 900, maxRssBytes: 2_000_000 }));
  t.match(sample, {
    Sequence: 1,
    MemoryPeak: { rss: 2_000_000 },
    Counts: { processes: 0, processes_peak: 1, threads_peak: 1 },
  });
  t.end();
});

t.test('requests that arrive while a sample is being taken share it', async (t) => {
  const { sampler, sources, emitted } = samplerFixture();
  let resolve: (usage: KeeperUsage) => void = () => {};
  sources.usage = () =>
    new Promise((done) => {
      resolve = done;
    });
  const [first, second] = [sampler.take('interval'), sampler.take('request')];
  resolve(usage());
  t.equal((await first).sample, (await second).sample);
  t.equal(emitted.length, 1);
  t.equal((await first).sample.Cause, 'interval');
  const third = sampler.take('request');
  resolve(usage());
  t.equal((await third).sample.Sequence, 2, 'a later request has its own');
});

t.test('a sample that is still being taken at the end becomes the final one', async (t) => {
  const { sampler, sources, emitted } = samplerFixture();
  let resolve: (usage: KeeperUsage) => void = () => {};
  sources.usage = () =>
    new Promise((done) => {
      resolve = done;
    });
  const late = sampler.take('interval');
  const final = sampler.final(usage());
  resolve(usage());
  t.equal((await late).sample, final.sample);
  t.same(
    emitted.map((taken) => taken.sample.Cause),
    ['final'],
  );
});

t.test('goes on with the last known figures when the keeper does not answer', async (t) => {
  const { sampler, sources } = samplerFixture({ sampleWaitMs: 1 });
  sources.usage = async () => usage({ stdoutBytes: 5, userUsec: 1_000_000 });
  await sampler.take('start');
  for (const [name, fails] of Object.entries<() => Promise<KeeperUsage>>({
    rejects: () => Promise.reject(new Error('the keeper has gone')),
    throws: () => {
      throw new Error('the keeper is closed');
    },
    hangs: () => new Promise(() => {}),
  })) {
    sources.usage = fails;
    const { sample } = await sampler.take('interval');
    t.match(sample, { StdoutBytes: 5, CPUTimes: { user: 3 } }, name);
  }
  t.equal(sampler.final().sample.StdoutBytes, 5, 'and for the final sample of a keeper that died');
});

t.test('rejects and emits nothing as long as the keeper has never answered', async (t) => {
  const { sampler, emitted, sources } = samplerFixture();
  const answers = sources.usage;
  sources.usage = () => Promise.reject(new Error('EPIPE'));
  await t.rejects(sampler.take('start'), { message: 'the keeper does not answer' });
  t.same(emitted, []);
  sources.usage = answers;
  t.equal((await sampler.take('interval')).sample.Sequence, 1);
});

t.test('the last figures of the groups are read when no process is left, if the keeper is there', async (t) => {
  const cgroup = { ...noCgroup('a test'), usageFiles: () => ['/box/x'], usage: () => sources.cgroup };
  const { sampler, sources } = samplerFixture({ cgroup });
  sources.cgroup = cgroupUsage();
  await sampler.take('start');
  sources.cgroup = cgroupUsage({ pids: { current: 0, peak: 12, refused: 5 } });
  t.match(await sampler.readFinal(), { pids: { refused: 5 } });
  sources.usage = () => Promise.reject(new Error('EPIPE'));
  sources.cgroup = null;
  t.match(await sampler.readFinal(), { pids: { refused: 5 } }, 'the last known figures');
  t.match(sampler.final().sample.Counts, { tasks_peak: 12, forks_refused: 5 });
});

t.test('rows are the largest processes, as many as asked for', async (t) => {
  const { sampler, sources } = samplerFixture({ rows: 1 });
  sources.tree = tree({ rows: [row(7, 500, { comm: 'a b) c' }), row(8, 400)] });
  t.same((await sampler.take('start')).sample.Processes, [
    { pid: 7, ppid: 99, name: 'a b) c', state: 'S', threads: 1, rss: 500, vms: 1000, user: 1.5, system: 0.25 },
  ]);
  const none = samplerFixture({ rows: 0 });
  t.same((await none.sampler.take('start')).sample.Processes, []);
});

t.test('reads what is fixed of the host once, and not before the first sample', async (t) => {
  const { sampler, sources } = samplerFixture();
  t.equal(sources.facts, 0);
  await sampler.take('start');
  await sampler.take('interval');
  t.equal(sources.facts, 1);
});

t.test('what the control groups count goes into the sample, under its units', async (t) => {
  const { sampler, sources } = samplerFixture();
  sources.cgroup = cgroupUsage();
  sources.tree = tree({ pssBytes: 900 });
  const { sample } = await sampler.take('start');
  t.same(schemaErrors('sample', sample), []);
  t.match(sample, {
    Memory: { rss: 1000, vms: 2000, swap: 7 },
    CPUTimes: { user: 3, system: 1 },
    CPUPercent: 400,
    MemoryDetail: { source: 'cgroup', anon: 500, file: 3000, shmem: 200, kernel: 150, pss: 900 },
    MemoryCgroup: { current: 5000, swap: 7 },
    MemoryPeak: { cgroup: 9000, exact: true },
    Counts: { processes: 1, tasks: 4, tasks_peak: 11, forks_refused: 2 },
    OOM: { events: 3, kills: 1 },
    Throttling: { periods: 100, throttled_periods: 40, throttled_ms: 1234.5 },
    Devices: [{ device: '8:0', read_count: 1, write_count: 2, read_bytes: 4096, write_bytes: 8192 }],
    ProcessesAgeMs: 0,
  });
  const final = sampler.final(usage({ userUsec: 1 })).sample;
  t.same(schemaErrors('sample', final), []);
  t.match(final, {
    Memory: { rss: 0, swap: 0 },
    CPUTimes: { user: 3, system: 1 },
    MemoryCgroup: { current: 5000 },
    OOM: { kills: 1 },
  });
});

t.test('without control groups their figures are null', async (t) => {
  const { sampler, sources, warnings } = samplerFixture();
  const none = {
    MemoryDetail: { source: 'processes', kernel: null },
    MemoryCgroup: null,
    MemoryPeak: { cgroup: null, exact: false },
    Counts: { tasks: null, tasks_peak: null, forks_refused: null },
    OOM: null,
    Throttling: null,
    Devices: null,
    ProcessesAgeMs: 0,
  };
  t.match((await sampler.take('start')).sample, none);
  sources.cgroup = { memory: null, cpu: null, io: null, pids: null };
  t.match((await sampler.take('interval')).sample, none, 'groups that count nothing');
  t.same(warnings, []);
});

t.test('state, timer, limits and dropped messages are those of the moment', async (t) => {
  const { sampler, sources } = samplerFixture();
  await sampler.take('start');
  sources.status = { ...sources.status, state: 'suspended', dropped: 3, limits: {} };
  const { sample } = await sampler.take('request');
  t.match(sample, { State: 'suspended', Dropped: 3, Cause: 'request' });
  t.same(sample.Limits, {});
  t.equal(sampler.last?.sample, sample);
});
