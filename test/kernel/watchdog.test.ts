// test-waits
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { delegate, user, withoutV1 } from '../fixtures/cgroups.js';
import { job, run, start } from '../fixtures/run.js';

/** Limits that only sampling holds: what it lets through, how it ends a box, and what it costs. */

const options = ['--cgroup', 'off', '--report', '--sint', '0'];
const MIB = 2 ** 20;

t.test('a 1 GB/s allocator gets at most 300 MB beyond --memory', async (t) => {
  // The last one is passed just after a look: the worst case.
  for (const limit of [64, 128, 224]) {
    const command = job('allocate.py', '4096', '1000');
    const { code, stderr, stdout } = await run(t, command, { options: ['--memory', `${limit}M`, ...options] });
    t.equal(code, 137);
    t.equal(stdout, '', 'it did not get through');
    t.match(stderr, /ended +memory: SIGKILL/);
    t.match(stderr, /warn: memory is held by sampling only: --cgroup off/);
    t.match(stderr, `proc_box: memory limit of ${limit} MiB (--memory) passed: `);
    t.match(stderr, /^ {2}memory +\d+ MiB .* watchdog$/m);
    const peak = peakOf(stderr);
    t.comment(`overshoot ${Math.round(peak / MIB - limit)} MiB`);
    t.ok(peak > limit * MIB && peak - limit * MIB < 300e6, `${peak}`);
  }
});

t.test('a job that is over its limit for a moment has the end of one that was killed', async (t) => {
  const moment = ['python3', '-S', '-E', '-c', `bytearray(104 << 20)`];
  const { code, stderr } = await run(t, moment, { options: ['--memory', '64M', ...options] });
  t.equal(code, 137);
  t.match(stderr, /ended +memory/);
  t.match(stderr, /^proc_box: memory limit of 64 MiB \(--memory\) passed: [\d.]+ MiB in use$/m);
  const within = await run(t, moment, { options: ['--memory', '1G', ...options] });
  t.equal(within.code, 0, within.stderr);
});

t.test('also one in a child that ended while its parent went on', async (t) => {
  const script = `import os, sys
if os.fork() == 0:
    bytearray(104 << 20)
    os._exit(0)
os.wait()
sys.exit(3)`;
  const { code, stderr } = await run(t, ['python3', '-S', '-E', '-c', script], {
    options: ['--memory', '64M', ...options],
  });
  t.equal(code, 137, stderr);
});

t.test(
  'where the groups belong to root, a user learns that sampling holds his limit',
  { skip: withoutV1('memory') },
  async (t) => {
    const { through } = delegate(t, ['memory', 'pids', 'v2'], 0, false);
    const { code, stderr } = await run(t, ['python3', '-S', '-E', '-c', 'bytearray(104 << 20)'], {
      options: ['--memory', '64M', '--report'],
      through: [...through, ...user()],
    });
    t.equal(code, 137, stderr);
    t.match(stderr, /memory is held by sampling only: mkdir \/sys\S+: EACCES/);
    t.match(stderr, /memory=64 MiB \(watchdog\)/);
    t.match(stderr, /ended +memory/);
  },
);

t.test('memory of the whole tree counts, also of daemons', async (t) => {
  const part = job('allocate.py', '48')
    .map((word) => `'${word}'`)
    .join(' ');
  const script = `setsid ${part} & ${part} & ${part} & wait`;
  const { code, stderr } = await run(t, ['sh', '-c', script], { options: ['--memory', '100M', ...options] });
  t.equal(code, 137);
  t.match(stderr, /ended +memory: SIGKILL/);
});

t.test('too many processes end the box, reason pids', async (t) => {
  const { code, stderr } = await run(t, job('fork-bomb.py'), { options: ['--pids', '20', ...options] });
  t.equal(code, 137);
  t.match(stderr, /ended +pids: SIGKILL/);
  t.match(stderr, /^proc_box: limit of 20 \(--pids\) for processes and threads passed: \d+ in use$/m);
});

t.test('CPU time of all processes, ended ones as well, stops the job, reason cpu', async (t) => {
  const burn = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';
  for (const more of [[], ['--cgroup', 'off']]) {
    const script = `trap "" TERM; while :; do (${burn}); done`;
    const began = performance.now();
    const { stderr, code } = await run(t, ['sh', '-c', script], {
      options: ['--cpu-time', '500ms', '--grace', '100ms', '--report', ...more],
    });
    t.equal(code, 137, 'it ignores the stop signal');
    t.match(stderr, /ended +cpu: SIGKILL/);
    const [, amount, unit] = /^ {2}cpu-time +500 ms +([\d.]+) (m?s) /m.exec(stderr) ?? [];
    const used = Number(amount) * (unit === 's' ? 1000 : 1);
    t.ok(used >= 500 && used < 1500, `${used} ms in ${Math.round(performance.now() - began)} ms`);
  }
});

t.test('orphans that the keeper has reaped count as CPU time', async (t) => {
  const burn = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done';
  const script = `trap "" TERM; while :; do sh -c '(${burn}; echo) & :' | cat >/dev/null; done`;
  const { stderr, code } = await run(t, ['sh', '-c', script], {
    options: ['--cpu-time', '500ms', '--grace', '100ms', '--timeout', '20s', ...options],
  });
  t.equal(code, 137);
  t.match(stderr, /ended +cpu: SIGKILL/);
});

// The bench has the target, half a percent; here other tests run beside it.
t.test('watching costs next to nothing', async (t) => {
  const cost = async (limits: string[]) => {
    const running = start(t, ['sh', '-c', 'sleep 60 & sleep 60 & sleep 60'], { options: [...limits, ...options] });
    await running.jobPid();
    await new Promise((resolve) => setTimeout(resolve, 1500)); // what follows a launch is over
    const before = cpuMsOf(running.pid);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const used = cpuMsOf(running.pid) - before;
    await running.end();
    return used / 4000;
  };
  const bare = await cost([]);
  const watched = await cost(['--memory', '1G']);
  t.comment(`${(watched * 100).toFixed(2)} % of a core, without ${(bare * 100).toFixed(2)} %`);
  t.ok(watched - bare < 0.01, `${watched - bare}`);
});

/** Of the largest process, bytes: what getrusage(2) has seen, not what a sample has. */
function peakOf(stderr: string): number {
  const [, value, unit] = /largest process ([\d.]+) ([KMG])iB/.exec(stderr) ?? [];
  return Number(value) * 1024 ** ({ K: 1, M: 2, G: 3 }[unit ?? ''] ?? Number.NaN);
}

/** /proc/PID/task/TID/schedstat: nanoseconds on a CPU. */
function cpuMsOf(pid: number): number {
  const ns = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, value) => sum + value, 0) / 1e6;
}
