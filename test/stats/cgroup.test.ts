import { existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import type { Sample } from '../../src/model/sample.js';
import { type HostedBox, hostBox } from '../fixtures/box.js';
import { groupsOf, withoutV1 } from '../fixtures/cgroups.js';
import { until } from '../fixtures/processes.js';
import { job, PYTHON, run } from '../fixtures/run.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** Figures of real groups: v1 memory, pids and blkio beside a v2 without controllers, as hybrid hosts have them. */

const skip = withoutV1('memory', 'pids', 'blkio');
const MIB = 2 ** 20;
const sampleOf = async (hosted: HostedBox, cause: 'request' | 'interval' = 'request') =>
  (await hosted.box.sample(cause)) as Sample;
const eventsOf = (hosted: HostedBox, name: string) => hosted.messages().filter((message) => message['event'] === name);

const cpuOf = ({ CPUTimes }: Sample) => CPUTimes.user + CPUTimes.system;
/** The box's directory that has this file. A made-up path would name one in the working directory. */
function groupOf(hosted: HostedBox, file: string): string {
  const dirs = groupsOf(`test-${process.pid}-${hosted.box.identity.box}`);
  const dir = dirs.find((path) => existsSync(`${path}/${file}`));
  if (dir === undefined) throw new Error(`no group of the box has ${file}: ${dirs.join(', ') || 'it has no group'}`);
  return dir;
}

/** Samples until the job has done what it is there for. */
async function settled(hosted: HostedBox, done: (sample: Sample) => boolean): Promise<Sample> {
  for (let tries = 0; tries < 400; tries++) {
    const sample = await sampleOf(hosted);
    if (done(sample)) return sample;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the job has not done its work');
}

const WORK = `
import mmap, os, time
shared = mmap.mmap(-1, 30 << 20)
shared.write(b"x" * (30 << 20))
private = bytearray(b"y") * (50 << 20)
for _ in range(3):
    if os.fork() == 0:
        sum(shared[::4096])
        time.sleep(60)
end = time.process_time() + 0.3
while time.process_time() < end: pass
time.sleep(60)
`;

t.test('memory by kind, tasks and CPU time are those of the groups', { skip }, async (t) => {
  const hosted = await hostBox(t, [PYTHON, '-S', '-E', '-c', WORK], { resources: {}, rows: 5 });
  const sample = await settled(hosted, (one) => one.Counts.processes === 4 && cpuOf(one) > 0.3);
  t.same(schemaErrors('sample', sample), []);
  const { MemoryDetail: detail, Memory, MemoryCgroup, MemoryPeak, Counts } = sample;
  t.equal(detail.source, 'cgroup');
  const within = (value: number | null, from: number, to: number, what: string) =>
    t.ok(value !== null && value >= from * MIB && value <= to * MIB, `${what}: ${(value ?? Number.NaN) / MIB} MiB`);
  within(detail.anon, 50, 70, 'anonymous');
  within(detail.shmem, 29, 32, 'shared by four processes, and once here');
  within(Memory.rss, 80, 110, 'resident: each page once, the private ones of the parent too');
  within(MemoryCgroup?.current ?? null, 80, 130, 'what the limit counts');
  t.ok((MemoryPeak.cgroup ?? 0) >= (MemoryCgroup?.current ?? 0) && MemoryPeak.exact, 'the kernel keeps the peak');
  t.match(Counts, { processes: 4, tasks: 4, forks_refused: 0 });
  t.ok((Counts.tasks_peak ?? 0) >= 4);
  t.match(sample, { OOM: { events: null, kills: 0 }, Pressure: { scope: 'cgroup' }, ProcessesAgeMs: 0 });
  const cpu = cpuOf(sample);
  t.ok(cpu > 0.3 && cpu < 3, `${cpu} s`);
  await hosted.keeper.kill();
  await hosted.outcome;
  const final = hosted.messages().find((message) => message['Cause'] === 'final') as unknown as Sample;
  t.same(schemaErrors('sample', final), []);
  t.match(final, { Memory: { rss: 0 }, Counts: { processes: 0, tasks: 0 }, MemoryPeak: { exact: true } });
  t.ok(cpuOf(final) >= cpu, 'the groups were still there at the end');
  t.notMatch(hosted.log.join('\n'), 'any more');
  hosted.keeper.finish();
  t.same(groupsOf(`test-${process.pid}`), []);
});

t.test('CPU time is that of cpu.stat, to the microsecond', { skip }, async (t) => {
  const hosted = await hostBox(t, ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 60'], {
    resources: {},
  });
  const file = `${groupOf(hosted, 'cpu.pressure')}/cpu.stat`;
  const usec = () => Number(/usage_usec (\d+)/.exec(readFileSync(file, 'utf8'))?.[1]);
  await until(
    () => readFileSync(`/proc/${hosted.box.pid}/task/${hosted.box.pid}/children`, 'utf8') !== '',
    'it sleeps',
  );
  const before = usec();
  const sampled = Math.round(cpuOf(await sampleOf(hosted)) * 1e6);
  t.ok(sampled >= before && sampled <= usec(), `${before} <= ${sampled} <= ${usec()}`);
});

t.test('between walks a large box has rows of before and figures of now', { skip }, async (t) => {
  const script = 'i=0; while [ $i -lt 80 ]; do sleep 60 & i=$((i+1)); done; wait';
  const hosted = await hostBox(t, ['sh', '-c', script], { resources: {}, rows: 3, rowsIntervalMs: 3_600_000 });
  const walked = await settled(hosted, ({ Counts }) => Counts.processes === 81);
  t.equal(walked.Processes.length, 3);
  const first = await sampleOf(hosted, 'interval');
  t.ok(first.ProcessesAgeMs > 0 || first.Sequence === walked.Sequence + 1);
  t.same(new Set(first.ChildPids), new Set(walked.ChildPids), 'the same processes, from cgroup.procs');
  t.match(first, { Counts: { processes: 81, tasks: 81 }, NumThreads: 81, Processes: walked.Processes });
  t.same(schemaErrors('sample', first), []);
  for (const pid of (walked.ChildPids ?? []).slice(0, 10)) process.kill(pid, 'SIGKILL');
  await until(() => groupsCount(hosted) === 71, 'ten have gone');
  const second = await sampleOf(hosted, 'interval');
  t.match(second, { Counts: { processes: 71, processes_peak: 81, tasks: 71 }, NumThreads: 81 });
  t.ok(second.ProcessesAgeMs >= first.ProcessesAgeMs);
  t.match(await sampleOf(hosted), { NumThreads: 71, ProcessesAgeMs: 0 }, 'who asks gets a look at every process');
});

function groupsCount(hosted: HostedBox): number {
  return Number(readFileSync(`${groupOf(hosted, 'pids.current')}/pids.current`, 'utf8'));
}

t.test('an OOM kill is told with limit, peak and the largest processes', { skip }, async (t) => {
  const hosted = await hostBox(t, job('allocate.py', '200', '150'), {
    resources: { memory: 64 * MIB },
    rows: 5,
    sampleIntervalMs: 20,
  });
  const { reason } = await hosted.outcome;
  t.equal(reason, 'oom');
  const [oom, ...more] = eventsOf(hosted, 'oom');
  t.same(more, []);
  t.same(schemaErrors('event', oom), []);
  t.match(oom, { kills: 1, limit: { value: 64 * MIB, enforcement: 'cgroup1' }, memory_peak_bytes: 64 * MIB });
  const [largest] = (oom?.['processes'] ?? []) as { name: string; rss: number }[];
  t.match(largest, { name: /python3/ });
  t.ok((largest?.rss ?? 0) > 16 * MIB, `${largest?.rss}`);
  const [exited] = eventsOf(hosted, 'exited');
  t.same(schemaErrors('event', exited), []);
  t.match(exited, {
    reason: 'oom',
    usage: {
      cgroup_memory_peak_bytes: 64 * MIB,
      cgroup_memory_peak_exact: true,
      oom: { kills: 1 },
      stalled_usec: { memory: {} },
    },
    limits: { memory: { used: 64 * MIB } },
  });
});

t.test('the watchdog names the largest processes, too', async (t) => {
  const hosted = await hostBox(t, job('allocate.py', '400', '300'), {
    resources: { memory: 64 * MIB },
    cgroup: 'off',
    rows: 2,
  });
  const { reason } = await hosted.outcome;
  t.equal(reason, 'memory');
  const [event] = eventsOf(hosted, 'limit_exceeded');
  t.same(schemaErrors('event', event), []);
  const [largest] = (event?.['processes'] ?? []) as { name: string; rss: number }[];
  t.match(largest, { name: /python3/ });
  t.ok((largest?.rss ?? 0) > 60 * MIB);
  t.same(eventsOf(hosted, 'oom'), []);
});

t.test('refused forks are counted and told', { skip }, async (t) => {
  const hosted = await hostBox(t, job('forks.py'), { resources: { pids: 12 }, rows: 5 });
  await settled(hosted, ({ Counts }) => (Counts.forks_refused ?? 0) > 0);
  t.match(eventsOf(hosted, 'limit_exceeded')[0], {
    limit: 'pids',
    status: { value: 12 },
    processes: [{ name: /python3/ }],
  });
  await hosted.keeper.kill();
  await hosted.outcome;
  t.match(eventsOf(hosted, 'exited')[0], { usage: { tasks_peak: 12 }, limits: { pids: { used: 12 } } });
});

t.test('a group that disappears is told once, and the sums over processes go on', { skip }, async (t) => {
  const hosted = await hostBox(t, ['sh', '-c', 'sleep 60 & wait'], { resources: {}, rows: 2 });
  const before = await settled(hosted, ({ Counts }) => Counts.processes === 2);
  t.equal(before.MemoryDetail.source, 'cgroup');
  const dir = groupOf(hosted, 'memory.usage_in_bytes');
  for (const pid of [hosted.box.pid, ...(before.ChildPids ?? [])])
    writeFileSync(`${dirname(dir)}/cgroup.procs`, String(pid));
  await until(() => removed(dir), 'the kernel lets it go');
  const after = await sampleOf(hosted);
  await sampleOf(hosted);
  t.same(schemaErrors('sample', after), []);
  t.match(after, {
    MemoryDetail: { source: 'processes' },
    MemoryCgroup: null,
    MemoryPeak: { cgroup: before.MemoryPeak.cgroup },
  });
  t.ok(after.Memory.rss > 0);
  t.ok(after.CPUTimes.user >= before.CPUTimes.user);
  t.equal(hosted.log.filter((line) => line.includes('no longer counts memory')).length, 1);
});

function removed(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}

t.test('the end report has what the groups have counted', { skip }, async (t) => {
  const options = ['--report', '--memory', '64M', '--cpus', '0.05'];
  const { stderr } = await run(t, job('allocate.py', '200'), { options });
  t.match(stderr, /\n {2}throttled +\d.* periods\n/);
  t.match(stderr, /\n {2}with cache +64 MiB with page cache and kernel memory\n/);
  t.match(stderr, /\n {2}OOM +1 process killed by the kernel\n/);
  t.match(stderr, /\n {2}stalled for +CPU /);
  t.match(stderr, /\n {2}memory +64 MiB +64 MiB +100 {2}cgroup1\n/);
  const report = stderr.slice(stderr.indexOf('proc_box: end of job'), stderr.indexOf('proc_box: out of memory'));
  t.same(
    report.split('\n').filter((line) => line.length > 80),
    [],
  );
});
