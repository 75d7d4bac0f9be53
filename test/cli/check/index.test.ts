// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { formatRow, type Row } from '../../../src/cli/check/row.js';
import { delegate, user, withoutV1 } from '../../fixtures/cgroups.js';
import { PROC_BOX, plainEnvironment } from '../../fixtures/run.js';

interface Report {
  readonly host: string;
  readonly user: string;
  readonly scheduler: string;
  readonly ok: boolean;
  readonly summary: { readonly pass: number; readonly warn: number; readonly fail: number };
  readonly checks: readonly Row[];
}

function check(
  words: readonly string[],
  { through = [], env = {} }: { through?: readonly string[]; env?: Record<string, string> } = {},
) {
  const [name = '', ...args] = [...through, PROC_BOX, 'check', ...words];
  const { status, stdout, stderr } = spawnSync(name, args, {
    encoding: 'utf8',
    env: plainEnvironment(env),
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

function report(t: Test, words: readonly string[] = [], options: Parameters<typeof check>[1] = {}) {
  const { status, stdout, stderr } = check(['-uri', 'none', '--config', 'none', '--json', ...words], options);
  t.equal(stderr, '');
  const parsed = JSON.parse(stdout) as Report;
  const row = (named: string) => parsed.checks.find(({ name: found }) => found === named) as Row;
  return { status, row, ...parsed };
}

const NAMES = [
  'Node',
  'kernel',
  'addon',
  'keeper',
  'scheduler',
  'cgroup versions',
  'own group',
  ...['memory', 'memory-high', 'swap', 'cpus', 'cpu-weight', 'cpuset', 'pids', 'io-max'].map((name) => `limit ${name}`),
  'leftover groups',
  'launch',
  'attach',
  'process children',
  'subreaper',
  'hidepid',
  'freezer',
  'cgroup.kill',
  'kill',
  'pressure (PSI)',
  'memory peak',
  'CAP_SYS_RESOURCE',
  'pidfd',
  'rlimits',
  'broker',
];

t.test('every capability has one line, with evidence, and a fix unless it passes', async (t) => {
  const { checks, summary, ok, status } = report(t);
  t.strictSame(
    checks.map(({ name }) => name).filter((name) => name !== 'clone3 into cgroup'),
    NAMES,
  );
  for (const { name, status, evidence, fix } of checks) {
    t.not(evidence, '', name);
    t.equal(fix === null, status === 'PASS', `${name}: ${status} ${fix}`);
  }
  t.equal(summary.pass + summary.warn + summary.fail, checks.length);
  t.equal(ok, summary.fail === 0);
  t.equal(status, ok ? 0 : 1);
});

t.test(
  'as root on v1 the limits are held, and the throw-away group and job are removed',
  { skip: withoutV1('memory', 'pids', 'cpu') },
  async (t) => {
    const { through, dirs } = delegate(t, ['memory', 'pids', 'cpu', 'v2'], 0, false);
    const { row, status } = report(t, [], { through });
    t.equal(status, 0);
    for (const [name, controller] of [
      ['memory', 'memory'],
      ['swap', 'memory'],
      ['pids', 'pids'],
      ['cpus', 'cpu'],
    ] as const) {
      t.equal(row(`limit ${name}`).status, 'PASS');
      t.match(row(`limit ${name}`).evidence, `cgroup1, ${dirs[controller]}/proc_box-check`);
    }
    t.strictSame(row('limit memory-high'), {
      name: 'limit memory-high',
      status: 'WARN',
      evidence: 'not held at all: cgroup v1 has no memory.high',
      fix: 'kernel argument systemd.unified_cgroup_hierarchy=1: everything in cgroup v2',
    });
    for (const name of ['launch', 'attach', 'subreaper', 'freezer', 'kill', 'hidepid'])
      t.equal(row(name).status, 'PASS', name);
    for (const dir of Object.values(dirs))
      t.strictSame(
        readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
        [],
      );
  },
);

t.test('a limit around us is no reason to fail', { skip: withoutV1('memory', 'pids') }, async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids'], 0, false);
  writeFileSync(`${dirs['pids']}/pids.max`, '50');
  t.equal(report(t, [], { through }).row('limit pids').status, 'PASS');
});

t.test(
  'an ordinary user without permission: WARN with path, errno and what an administrator does',
  { skip: withoutV1('memory') },
  async (t) => {
    const { row, status, user: name } = report(t, [], { through: user() });
    t.equal(name, 'nobody');
    t.equal(status, 0, 'boxes work all the same');
    t.match(row('limit memory').evidence, /^held by sampling only: mkdir \/sys\S+: EACCES/);
    t.match(row('limit memory').fix, /chown <user>/);
    t.match(row('limit cpus').evidence, /^not held at all: mkdir/);
    t.equal(row('attach').status, 'WARN');
    t.match(row('freezer').evidence, 'SIGSTOP');
  },
);

t.test(
  'with --enforce strict what the kernel would not hold is a FAIL, and exit status 1',
  { skip: withoutV1('memory') },
  async (t) => {
    const { row, status, ok } = report(t, ['--enforce', 'strict'], { through: user() });
    t.equal(status, 1);
    t.equal(ok, false);
    t.equal(row('limit memory').status, 'FAIL');
  },
);

t.test('inside a Slurm job the remedies are those of Slurm', { skip: withoutV1('memory') }, async (t) => {
  const { row, scheduler } = report(t, [], {
    through: user(),
    env: { SLURM_JOB_ID: '77', SLURM_CLUSTER_NAME: 'alpha' },
  });
  t.equal(scheduler, 'slurm');
  t.match(row('scheduler').evidence, /^slurm, job 77, step batch, cluster alpha; /);
  t.match(row('limit memory').fix, "Slurm's Prolog");
  t.match(row('limit memory').fix, 'ConstrainRAMSpace=yes');
});

t.test(
  '/proc with hidepid=2 is a FAIL for a user whom it blinds',
  { skip: withoutV1('memory') || noMountNamespace() },
  async (t) => {
    const through = [
      'unshare',
      '-m',
      'sh',
      '-c',
      'mount -t proc -o hidepid=2 proc /proc && exec "$@"',
      'sh',
      ...user(),
    ];
    const { row, status } = report(t, [], { through });
    t.equal(status, 1);
    t.equal(row('subreaper').status, 'FAIL');
    t.match(row('hidepid').evidence, /hidepid=(2|invisible)/);
    t.match(row('hidepid').fix, 'mount -o remount,hidepid=0 /proc');
  },
);

t.test('a broker that is not there is a WARN that names it without its password', async (t) => {
  const { status, stdout } = check(['-uri', 'amqp://me:secret@127.0.0.1:1', '--config', 'none']);
  t.equal(status, 0);
  t.match(stdout, /^WARN {2}broker +.*127\.0\.0\.1:1.*refused/m);
  t.notMatch(stdout, 'secret');
});

t.test('as text: a line each, a fix below it', async (t) => {
  const { stdout } = check(['-uri', 'none', '--config', 'none']);
  for (const line of stdout.trimEnd().split('\n')) t.match(line, /^(PASS|WARN|FAIL) {2}\S|^ +fix: /);
  t.equal(
    formatRow({ name: 'a', status: 'WARN', evidence: 'b', fix: 'c' }),
    `WARN  ${'a'.padEnd(20)} b\n${' '.repeat(22)}fix: c\n`,
  );
});

t.test('help, and words that are no options', async (t) => {
  t.match(check(['--help']).stdout, /^usage: proc_box check \[--json\]/);
  const extra = check(['now']);
  t.equal(extra.status, 125);
  t.equal(extra.stderr, 'proc_box: error: "now" is not an option; usage: proc_box check [--json] [options of a box]\n');
  const wrong = check(['--memroy', '1G']);
  t.equal(wrong.status, 125);
  t.match(wrong.stderr, 'did you mean --memory?');
});

t.test('a program called check can be boxed', async (t) => {
  const { status, stderr } = spawnSync(PROC_BOX, ['-uri', 'none', '--config', 'none', '--', 'check'], {
    encoding: 'utf8',
    env: plainEnvironment(),
  });
  t.equal(status, 127);
  t.match(stderr, 'run check: not found');
});

function noMountNamespace(): string | false {
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc']);
  return status === 0 ? false : 'needs a mount namespace and /proc with hidepid';
}
