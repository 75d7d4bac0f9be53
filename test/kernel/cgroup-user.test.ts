import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { boxIdOf, delegate, groupsIn, groupsOfProcess, ownGroup, user, withoutV1 } from '../fixtures/cgroups.js';
import { job, run, start } from '../fixtures/run.js';

/** Who may have what: an ordinary user with delegated groups and without, limits around the box, and bad input. */

const need = (...controllers: string[]) => ({ skip: withoutV1(...controllers) });
const everything = ['v2', 'memory', 'pids', 'cpu', 'freezer'];

t.test(
  'an ordinary user has limits in groups that were delegated',
  need('memory', 'pids', 'cpu', 'freezer'),
  async (t) => {
    const { through, dirs } = delegate(t, everything);
    const script = 'cat /proc/self/cgroup; id -u; echo up; sleep 60';
    const running = start(t, ['sh', '-c', script], {
      options: ['--memory', '64M', '--pids', '20', '--cpus', '0.5', '--enforce', 'strict'],
      through,
    });
    await running.says('up').catch(() => t.fail(running.stderr()));
    t.match(running.stdout(), '65534');
    const name = `proc_box-${boxIdOf(running.stderr())}`;
    const groups = groupsIn(running.stdout());
    for (const controller of ['v2', 'memory', 'pids', 'cpu']) {
      t.ok(
        groups[controller]?.endsWith(`${dirs[controller]?.split('/').at(-1)}/${name}`),
        `${controller}: ${groups[controller]}`,
      );
    }
    t.equal(readFileSync(`${dirs['memory']}/${name}/memory.limit_in_bytes`, 'utf8').trim(), `${64 * 2 ** 20}`);
    await running.end();
    for (const [controller, dir] of Object.entries(dirs))
      t.strictSame(below(dir), [], `${controller}: nothing is left`);
  },
);

t.test('its memory limit ends the job', need('memory', 'pids'), async (t) => {
  const { through } = delegate(t, ['memory', 'v2']);
  const { code, stderr } = await run(t, job('allocate.py', '256'), {
    options: ['--memory', '64M', '--report'],
    through,
  });
  t.equal(code, 137);
  t.match(stderr, /ended +oom: SIGKILL/);
});

t.test('groups of an ordinary user are gone after SIGKILL of the wrapper', need('memory', 'pids'), async (t) => {
  const { through, dirs } = delegate(t, everything);
  const running = start(t, ['sh', '-c', 'echo up; sleep 60'], {
    options: ['--memory', '64M', '--pids', '20'],
    through,
  });
  await running.says('up');
  t.not(below(dirs['memory'] as string).length, 0);
  process.kill(running.pid, 'SIGKILL');
  await running.done;
  for (const dir of Object.values(dirs)) await gone(t, dir);
});

t.test('only some controllers delegated: each limit says what holds it', need('pids', 'memory'), async (t) => {
  const { through } = delegate(t, ['pids']);
  const { stderr, code } = await run(t, ['true'], { options: ['--memory', '64M', '--pids', '20'], through });
  t.equal(code, 0);
  t.match(stderr, /memory=64 MiB \(watchdog\), pids=20 \(cgroup1\)/);
  t.equal(stderr.match(/warn: /g)?.length, 1, 'one warning for the one that is weaker');
});

t.test(
  'without any permission best-effort warns once a limit, with path, errno and remedy, and runs',
  need('memory'),
  async (t) => {
    const options = ['--memory', '64M', '--cpus', '0.5'];
    const { code, stderr } = await run(t, ['true'], { options, through: user() });
    t.equal(code, 0);
    const warnings = stderr.split('\n').filter((line) => line.includes('warn: '));
    t.equal(warnings.length, 2);
    t.match(
      warnings[0],
      /memory is held by sampling only: mkdir \/sys\S+: EACCES; ask the administrator to delegate memory \(docs\/limits.md\)/,
    );
    t.match(warnings[1], /cpus is not held at all: mkdir \/sys\S+: EACCES; ask the administrator to delegate cpu/);
    t.match(stderr, /memory=64 MiB \(watchdog\), cpus=0.5 \(none\)/);
  },
);

t.test('without any permission strict refuses with 125 and the remedy', need('memory'), async (t) => {
  const { code, stderr, stdout } = await run(t, ['echo', 'ran'], {
    options: ['--memory', '64M', '--enforce', 'strict'],
    through: user(),
  });
  t.equal(code, 125);
  t.equal(stdout, '', 'the job did not run');
  t.match(
    stderr,
    /error: memory is held by sampling only: mkdir \/sys\S+: EACCES; ask .*; --enforce best-effort starts the job anyway\n$/,
  );
});

t.test('strict with everything that it asks for is quiet', need('memory', 'pids'), async (t) => {
  const { code, stderr } = await run(t, ['true'], {
    options: ['--memory', '64M', '--pids', '20', '--enforce', 'strict'],
  });
  t.equal(code, 0);
  t.notMatch(stderr, /warn|error/);
});

t.test('--cgroup off with strict is refused', async (t) => {
  const { code, stderr } = await run(t, ['true'], {
    options: ['--pids', '20', '--cgroup', 'off', '--enforce', 'strict'],
  });
  t.equal(code, 125);
  t.match(stderr, 'pids is held by sampling only: --cgroup off');
});

t.test('a limit above the one around the box is refused with the range', need('memory', 'pids', 'cpu'), async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids', 'cpu'], 0, false);
  writeFileSync(`${dirs['memory']}/memory.limit_in_bytes`, `${512 * 2 ** 20}`);
  writeFileSync(`${dirs['pids']}/pids.max`, '100');
  writeFileSync(`${dirs['cpu']}/cpu.cfs_quota_us`, '80000');
  const cases: [string, string, string][] = [
    ['--memory', '1G', `memory 1 GiB is above the limit around this box: at most 512 MiB (${dirs['memory']})`],
    ['--pids', '101', `pids 101 is above the limit around this box: at most 100 (${dirs['pids']})`],
    ['--cpus', '1', `cpus 1 is above the limit around this box: at most 0.8 (${dirs['cpu']})`],
  ];
  for (const [option, value, expected] of cases) {
    const { code, stderr } = await run(t, ['true'], { options: [option, value], through });
    t.equal(code, 125);
    t.equal(stderr, `proc_box: error: ${expected}\n`);
  }
  for (const dir of Object.values(dirs)) t.strictSame(below(dir), [], 'nothing is left behind');
  const { code, stderr } = await run(t, ['true'], {
    options: ['--memory', '512M', '--pids', '100', '--cpus', '0.8'],
    through,
  });
  t.equal(code, 0, `the same as around it is allowed: ${stderr}`);
});

t.test('bad input: 125, a clear line, nothing left behind', need('memory', 'blkio', 'cpuset'), async (t) => {
  const cases: Record<string, [string[], RegExp]> = {
    'a device that does not exist': [
      ['--io-max', '/dev/nothing:rbps=1M'],
      /"\/dev\/nothing": ENOENT; expected a block device, a file on one, or major:minor/,
    ],
    'a device number that does not exist': [
      ['--io-max', '999:99:rbps=1M'],
      /"999:99" does not belong to a block device/,
    ],
    'a file that is on no disk': [
      ['--io-max', '/proc/self:rbps=1M'],
      /does not belong to a block device: .*`lsblk` lists them/,
    ],
    'a rate that does not exist': [
      ['--io-max', '/:rbs=1M'],
      /"rbs" is not a limit of a device: expected one of rbps, wbps, riops, wiops; did you mean "rbps"\?/,
    ],
    'a device without a limit': [['--io-max', '/dev/sda'], /expected <device or path>:<what>=<limit>/],
    'a CPU that is not allowed': [['--cpuset', '0,4095'], /cpuset "0,4095": CPU 4095 may not be used here; allowed: /],
    'CPUs that are no list': [['--cpuset', 'a-b'], /is not a list of CPUs/],
    'a range that runs backwards': [['--cpuset', '3-1'], /is not a list of CPUs/],
    'a size that is no number': [
      ['--memory', 'lots'],
      /--memory: "lots" is not a size: expected bytes or a number with K, M, G, T or P/,
    ],
    'too little memory': [['--memory', '1k'], /"1k" is too small: expected at least 1M/],
    'a negative number of processes': [['--pids', '-1'], /"-1" is not a number from 1 to/],
    'a negative number of CPUs': [['--cpus', '-1'], /"-1" is not a number of CPUs from 0.01 to 100000/],
    'a weight out of range': [['--cpu-weight', '10001'], /"10001" is not a number from 1 to 10000/],
    'a place that does not exist': [
      ['--cgroup', '/nowhere'],
      /--cgroup \/nowhere: not a cgroup directory; expected one below /,
    ],
    'a place that is no path': [['--cgroup', 'on'], /expected auto, off or absolute paths/],
    'a place outside by dots': [['--cgroup', `${ownGroup('v2')}/..`], /not a cgroup directory/],
    'a way to enforce that does not exist': [['--enforce', 'hard'], /expected strict or best-effort/],
  };
  const { through, dirs } = delegate(t, ['memory', 'pids', 'blkio', 'cpuset', 'cpu', 'v2'], 0, false);
  for (const [name, [options, expected]] of Object.entries(cases)) {
    const { code, stderr, stdout } = await run(t, ['echo', 'ran'], {
      options: ['--memory', '64M', ...options],
      through,
    });
    t.equal(code, 125, name);
    t.equal(stdout, '', `${name}: the job did not run`);
    t.match(stderr, expected);
    t.strictSame(Object.values(dirs).flatMap(below), [], `${name}: nothing is left`);
  }
});

t.test('inside a scheduler job --cgroup may not lead out of its group', need('pids'), async (t) => {
  if (ownGroup('v2') === undefined) return t.comment('no cgroup2 here');
  const ours = delegate(t, ['v2'], 0, false);
  const { code, stderr } = await run(t, ['true'], {
    options: ['--cgroup', ownGroup('v2') as string],
    through: ours.through,
    env: { SLURM_JOB_ID: '7' },
  });
  t.equal(code, 125);
  t.match(stderr, `outside the scheduler's group; expected a directory at or below ${ours.dirs['v2']}`);
  const free = await run(t, ['cat', '/proc/self/cgroup'], { options: ['--cgroup', ours.dirs['v2'] as string] });
  t.equal(groupsIn(free.stdout)['v2'], `${pathOf(ours.dirs['v2'] as string)}/proc_box-${boxIdOf(free.stderr)}`);
  return;
});

t.test('a place that processes may not be moved to is refused before the launch', need('pids'), async (t) => {
  if (ownGroup('v2') === undefined) return t.comment('no cgroup2 here');
  const { dirs } = delegate(t, ['v2']);
  // The user owns the directory, and not the nearest group around it and himself.
  const { code, stderr } = await run(t, ['true'], {
    options: ['--cgroup', dirs['v2'] as string, '--pids', '20'],
    through: user(),
  });
  t.equal(code, 0, stderr);
  t.match(stderr, 'pids=20 (watchdog)');
  t.strictSame(below(dirs['v2'] as string), []);
  return;
});

t.test('a job that cannot be started leaves no groups', need('memory'), async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids'], 0, false);
  const { code } = await run(t, ['/nonexistent'], { options: ['--memory', '64M'], through });
  t.equal(code, 127);
  t.strictSame(Object.values(dirs).flatMap(below), []);
});

function below(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** As /proc/self/cgroup has it. */
function pathOf(dir: string): string {
  const own = groupsOfProcess(process.pid)['v2'] as string;
  return `${own === '/' ? '' : own}${dir.slice((ownGroup('v2') as string).length)}`;
}

async function gone(t: Test, dir: string): Promise<void> {
  for (let i = 0; i < 400 && below(dir).length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  t.strictSame(below(dir), [], `${dir}: nothing is left`);
}
