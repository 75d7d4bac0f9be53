import { readFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  boxIdOf,
  diskOf,
  groupsIn,
  groupsOf,
  groupsOfProcess,
  ourGroups,
  ownGroup,
  withoutV1,
} from '../fixtures/cgroups.js';
import { job, PYTHON, run, start, temporaryFolder } from '../fixtures/run.js';

/** Limits that the kernel's v1 controllers hold, seen from inside the job. As root; cgroup-user.test.ts has the rest. */

const need = (...controllers: string[]) => ({ skip: withoutV1(...controllers) });
const cat = (controller: string, file: string) =>
  `cat ${mount(controller)}$(sed -n 's/^[0-9]*:${controller}://p' /proc/self/cgroup)/${file}`;
const mount = (controller: string) => {
  const own = ownGroup(controller) ?? '';
  const path = groupsOfProcess(process.pid)[controller] ?? '/';
  return path === '/' ? own : own.slice(0, -path.length);
};

t.test('every limit is in force before the first instruction', need('memory', 'pids', 'cpu', 'cpuset'), async (t) => {
  const files: [string, string, string][] = [
    ['memory', 'memory.limit_in_bytes', '67108864'],
    ['memory', 'memory.memsw.limit_in_bytes', '67108864'],
    ['pids', 'pids.max', '20'],
    ['cpu', 'cpu.cfs_quota_us', '50000'],
    ['cpu', 'cpu.cfs_period_us', '100000'],
    ['cpu', 'cpu.shares', '2048'],
    ['cpuset', 'cpuset.cpus', '0'],
  ];
  const options = ['--memory', '64M', '--pids', '20', '--cpus', '0.5', '--cpu-weight', '200', '--cpuset', '0'];
  const script = files.map(([controller, file]) => cat(controller, file)).join('; ');
  const { stdout, stderr, code } = await run(t, ['sh', '-c', script], { options: [...options, '--enforce', 'strict'] });
  t.equal(code, 0, stderr);
  t.strictSame(
    stdout.trim().split('\n'),
    files.map(([, , expected]) => expected),
    files.map(([, file]) => file).join(' '),
  );
  for (const shown of [
    'memory=64 MiB (cgroup1)',
    'cpus=0.5 (cgroup1)',
    'cpu-weight=200 (cgroup1)',
    'cpuset=0 (cgroup1)',
    'pids=20 (cgroup1)',
  ]) {
    t.match(stderr, shown, 'the start line names the mechanism');
  }
  t.notMatch(stderr, 'warn');
});

t.test(
  'the box is below our own group in each hierarchy, wrapper and keeper are not in it',
  need('memory', 'pids'),
  async (t) => {
    const running = start(t, ['sh', '-c', 'cat /proc/self/cgroup; echo up; sleep 60'], {
      options: ['--memory', '64M', '--pids', '20'],
    });
    await running.says('up');
    const inside = groupsIn(running.stdout());
    const outside = groupsOfProcess(process.pid);
    const name = `/proc_box-${boxIdOf(running.stderr())}`;
    for (const controller of ['memory', 'pids', 'v2']) {
      if (outside[controller] === undefined) continue;
      const own = outside[controller] === '/' ? '' : outside[controller];
      t.equal(inside[controller], `${own}${name}`, controller);
    }
    for (const groups of ourGroups(running)) t.strictSame(groups, outside, 'wrapper and keeper are where they were');
    t.not(groupsOf(name.slice('/proc_box-'.length)).length, 0);
    await running.end();
    t.strictSame(groupsOf(boxIdOf(running.stderr())), [], 'nothing is left');
  },
);

t.test(
  'the memory limit ends the job: 137, reason oom, limit and mechanism in the report',
  need('memory'),
  async (t) => {
    const { code, stderr, stdout } = await run(t, job('allocate.py', '256'), {
      options: ['--memory', '64M', '--report'],
    });
    t.equal(code, 137);
    t.equal(stdout, '');
    t.match(stderr, /ended +oom: SIGKILL/);
    t.match(stderr, /^ {2}memory +64 MiB .* cgroup1$/m);
    t.match(
      stderr,
      /^proc_box: out of memory: the kernel killed \d+ process(es)? \(limit 64 MiB, peak 64 MiB\); the limit came from --memory$/m,
    );
    t.notMatch(stderr, /warn: out of memory/, 'told once');
    t.strictSame(groupsOf(boxIdOf(stderr)), []);
  },
);

t.test('a job at its memory limit never holds more than it', need('memory'), async (t) => {
  const peak = cat('memory', 'memory.max_usage_in_bytes');
  // The shell outlives its child: the OOM killer takes the largest.
  const { stdout } = await run(t, ['sh', '-c', `"$@" || :; ${peak}`, 'sh', ...job('allocate.py', '256')], {
    options: ['--memory', '64M', '--oom-group=false'],
  });
  const bytes = Number(stdout.trim());
  t.ok(bytes > 48 * 2 ** 20 && bytes <= 64 * 2 ** 20, `peak ${bytes}`);
});

t.test('OOM of a child is told while the job goes on', need('memory'), async (t) => {
  const { code, stderr } = await run(t, ['sh', '-c', '"$@" || :; exit 7', 'sh', ...job('allocate.py', '256')], {
    options: ['--memory', '64M', '--oom-group=false', '--report'],
  });
  t.equal(code, 7, 'its own status');
  t.match(stderr, /ended +exited: code 7/);
  t.match(stderr, /warn: out of memory: the kernel killed \d+ process(es)? \(limit 64 MiB, peak 64 MiB\)$/m);
});

t.test('swap: none with --memory alone, else what was asked for', need('memory'), async (t) => {
  const sum = cat('memory', 'memory.memsw.limit_in_bytes');
  const alone = await run(t, ['sh', '-c', sum], { options: ['--memory', '64M'] });
  const more = await run(t, ['sh', '-c', sum], { options: ['--memory', '64M', '--swap', '16M'] });
  const any = await run(t, ['sh', '-c', sum], { options: ['--memory', '64M', '--swap', 'unlimited'] });
  t.equal(alone.stdout.trim(), `${64 * 2 ** 20}`);
  t.equal(more.stdout.trim(), `${80 * 2 ** 20}`);
  t.ok(Number(any.stdout.trim()) > 2 ** 60, any.stdout);
  const without = await run(t, ['true'], { options: ['--swap', '16M'] });
  t.match(
    without.stderr,
    /warn: swap is not held at all: .* cgroup v1 limits memory and swap together; give --memory too/,
  );
});

t.test('more processes than --pids are refused with EAGAIN, and counted', need('pids'), async (t) => {
  const { stdout, stderr, code } = await run(t, job('forks.py'), { options: ['--pids', '10', '--report'] });
  t.equal(stdout, '9 EAGAIN\n');
  t.equal(code, 0, 'the job decides what it makes of that');
  t.match(stderr, /^ {2}pids +10 +.* cgroup1$/m);
});

t.test('--cpus 0.3 is 0.3 of a CPU', need('cpu', 'cpuacct'), async (t) => {
  const spin = `import time
end = time.monotonic() + 3
while time.monotonic() < end: pass
print(time.process_time())`;
  const { stdout } = await run(t, [PYTHON, '-S', '-c', spin], {
    options: ['--cpus', '0.3'],
  });
  const share = Number(stdout) / 3;
  t.ok(share > 0.24 && share < 0.36, `${share.toFixed(3)} of a CPU`);
});

t.test(
  '--cpuset is what the job may run on',
  { skip: withoutV1('cpuset') || (cpus().length < 2 && 'needs two CPUs') },
  async (t) => {
    const { stdout } = await run(t, ['grep', 'Cpus_allowed_list', '/proc/self/status'], { options: ['--cpuset', '1'] });
    t.match(stdout, /:\s*1\n/);
  },
);

const disk = diskOf(tmpdir());
const needDisk = { skip: withoutV1('blkio') || (disk === undefined && `needs a block device below ${tmpdir()}`) };

t.test('--io-max slows direct writes down', needDisk, async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  const { stdout, stderr, code } = await run(t, job('direct-io.py', file, '6'), {
    options: ['--io-max', `${folder}:wbps=2M`, '--enforce', 'strict'],
  });
  t.equal(code, 0, stderr);
  t.match(stderr, `io-max=${disk} wbps=2097152 (cgroup1)`);
  t.ok(Number(stdout) > 2 && Number(stdout) < 6, `6 MiB took ${stdout.trim()} s`);
});

t.test('a limit of operations; max is none', needDisk, async (t) => {
  const iops = cat('blkio', 'blkio.throttle.write_iops_device');
  const { stdout } = await run(t, ['sh', '-c', iops], { options: ['--io-max', `${disk}:wiops=100,riops=max`] });
  t.equal(stdout, `${disk} 100\n`);
});

t.test('--cgroup off makes none', need('memory'), async (t) => {
  const { stdout } = await run(t, ['cat', '/proc/self/cgroup'], { options: ['--cgroup', 'off'] });
  t.strictSame(groupsIn(stdout), groupsIn(readFileSync('/proc/self/cgroup', 'utf8')));
});
