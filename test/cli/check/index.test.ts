// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { formatRow } from '../../../src/cli/check/row.js';
import { check, checkReport } from '../../fixtures/check.js';
import { PROC_BOX, plainEnvironment } from '../../fixtures/run.js';

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
  const { checks, summary, ok, status } = checkReport(t);
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
