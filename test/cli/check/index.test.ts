// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { formatRow } from '../../../src/cli/check/row.js';
import { withoutV1 } from '../../fixtures/cgroups.js';
import { check, checkReport } from '../../fixtures/check.js';
import { readProc, until } from '../../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, start } from '../../fixtures/run.js';

const NAMES = [
  'installation',
  'Node',
  'kernel',
  'addon',
  'keeper',
  'code cache',
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
  'agent',
  'broker',
];

t.test('every capability has one line, with evidence, and a fix unless it passes', async (t) => {
  const { checks, summary, ok, status } = checkReport(t);
  const onSomeHosts = ['clone3 into cgroup', 'Slurm', 'OpenPBS'];
  t.strictSame(
    checks.map(({ name }) => name).filter((name) => !onSomeHosts.includes(name)),
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

/** The kernel's own list, because the check does not wait for a look through /proc. */
function descendants(pid: number): number[] {
  const children = (readProc(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

t.test('an interrupted check leaves no group behind', { skip: withoutV1('memory') }, async (t) => {
  // A broker that never answers: the check waits for it, and removes its groups only then.
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const words = ['check', '-uri', `amqp://127.0.0.1:${port}`, '--config', 'none'];
  const running = start(t, words, { bare: true });
  let group: string | undefined;
  while (group === undefined) {
    const groups = descendants(running.pid).map((pid) => readProc(`/proc/${pid}/cgroup`) ?? '');
    group = groups.map((text) => /proc_box-check[0-9a-f]{8}/.exec(text)?.[0]).find((name) => name !== undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  running.kill('SIGTERM');
  t.match(await running.done, { signal: 'SIGTERM' });
  const left = () => spawnSync('find', ['/sys/fs/cgroup', '-name', `${group}`], { encoding: 'utf8' }).stdout;
  await until(() => left() === '', 'the groups are removed');
});

t.test('a program called check can be boxed', async (t) => {
  const { status, stderr } = spawnSync(PROC_BOX, ['-uri', 'none', '--config', 'none', '--', 'check'], {
    encoding: 'utf8',
    env: plainEnvironment(),
  });
  t.equal(status, 127);
  t.match(stderr, 'run check: not found');
});
