import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** A config file with a typo, the site's own first of all: one clear line, and with `--failure open` the job runs. */

const above = temporaryFolder(t);
const site = '/etc/proc_box/config.yaml';
mkdirSync(join(above, 'proc_box'));
// /etc of a mount namespace that only the test sees.
const setup = `mount --make-rprivate / && mount -t overlay overlay -o lowerdir=${above}:/etc /etc && exec "$@"`;
const inNamespace = ['unshare', '--mount', 'sh', '-c', setup, 'sh'];
const possible = spawnSync('unshare', [...inNamespace.slice(1), 'true']).status === 0;
const skip = !possible && 'needs unshare --mount and overlayfs';

/** What is wrong with the file, and what the line has to say. */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  ['an unknown key', 'timeout: 5m\nsnit: 1s\n', /:2: "snit" is not an option; did you mean "sint"\?/],
  ['a duplicate key', 'timeout: 5m\ntimeout: 6m\n', /:2: this key occurs twice: remove one of the two/],
  ['no YAML', 'timeout: [5m\nsint: }', /:2: not valid YAML \(bad indent\): expected lines of "key: value"/],
  ['no mapping', '- timeout\n', /:1: not a mapping: expected lines of "key: value"/],
  ['a second document', 'timeout: 5m\n---\ntimeout: 1s\n', /:2: a second document begins here/],
  ['an alias of itself', 'json: &a {a: *a}\n', /:1: the aliases cannot be resolved: write out the values/],
  ['a bomb of aliases', bomb(), /: the aliases cannot be resolved: write out the values/],
  ['a value that does not parse', 'timeout: soon\n', /:1: timeout: "soon" is not a time limit: expected a duration/],
  ['a key that is a list', '? [a, b]\n: 1\n', /:1: "" is not an option/],
  ['binary bytes', '\0\xff\x1b[2J', /:1: /],
  ['an unknown option that is locked', 'locked: no-such\n', /:1: "no-such" is not an option/],
];

function proc_box(words: readonly string[], env: Record<string, string> = {}) {
  const all = [...inNamespace, PROC_BOX, ...words];
  return spawnSync(all[0]!, all.slice(1), { encoding: 'utf8', env: { ...plainEnvironment(), ...env } });
}

const JOB = ['sh', '-c', 'ulimit -n; exit 7'];

for (const [name, text, message] of FAULTS) {
  t.test(`${name} in the site file: 125 and one line, or the job with its own limits`, { skip }, async (t) => {
    writeFileSync(join(above, 'proc_box/config.yaml'), text, 'latin1');
    const closed = proc_box(['-uri', 'none', ...JOB]);
    t.equal(closed.status, 125);
    t.equal(closed.stdout, '');
    t.match(closed.stderr, message);
    t.match(closed.stderr, new RegExp(`^proc_box: error: ${site}[^\\n]{1,300}\\n$`), 'one short line');
    const open = proc_box(['--failure', 'open', '--timeout', '1h', '--rlimit', 'nofile=77:77', '--', ...JOB]);
    t.strictSame([open.status, open.stdout], [7, '77\n'], 'its own limits hold');
    t.match(open.stderr, message);
    t.match(
      open.stderr,
      /; the job runs with its command line's limits and nothing else of a box \(--failure open\)\n/,
    );
    t.equal(open.stderr.split('\n').length, 3, 'that line, and the time');
  });
}

t.test('every verb tells of a broken site file in one line', { skip }, async (t) => {
  writeFileSync(join(above, 'proc_box/config.yaml'), 'timeout: 1\ntimeout: 2\n');
  for (const words of [
    ['check'],
    ['ctl', '--all', 'ping'],
    ['spool', 'list', '--spool-dir', '/nowhere'],
    ['where', '1'],
    ['adopt', '--pid', String(process.pid)],
  ]) {
    const { status, stderr } = proc_box(words);
    t.equal(status, 125, String(words[0]));
    t.match(stderr, new RegExp(`^proc_box: error: ${site}:2: [^\\n]{1,300}\\n$`), String(words[0]));
  }
});

t.test("the user's own file and the variable are treated alike", async (t) => {
  const file = join(above, 'own.yaml');
  writeFileSync(file, 'timeout: 5m\ntimeout: 6m\n');
  for (const [words, env] of [
    [['--config', file], {}],
    [[], { PBOX_CONFIG: file }],
  ] as const) {
    const run = (...more: string[]) =>
      spawnSync(PROC_BOX, [...words, ...more], { encoding: 'utf8', env: { ...plainEnvironment(), ...env } });
    t.match(run(...JOB), { status: 125, stdout: '', stderr: /^proc_box: error: \S+own\.yaml:2: this key [^\n]*\n$/ });
    t.match(run('--failure=open', '--', ...JOB), { status: 7 });
    t.match(run('--failure=open', ...JOB), { status: 7 }, 'no -- is needed where every option is known');
  }
});

t.test('a limit that cannot be read is left out; one that nothing here can hold is told', async (t) => {
  const run = (...words: string[]) => spawnSync(PROC_BOX, words, { encoding: 'utf8', env: plainEnvironment() });
  const unread = run(
    '--failure',
    'open',
    '-uri',
    'none',
    '--memory',
    'much',
    '--timeout',
    '300ms',
    '--',
    'sleep',
    '60',
  );
  t.equal(unread.status, 124, 'the time limit holds');
  t.match(unread.stderr, /--memory: "much" is not a size.*; the job runs in a box without that \(--failure open\)\n/);
  const strict = ['--enforce', 'strict', '--cgroup', 'off', '--cpus', '1'];
  t.match(run('--failure', 'open', '-uri', 'none', ...strict, '--', ...JOB), { status: 7 });
});

t.test('no error of ours shows source text or a stack unless --debug asks for it', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const cases = [
    ['adopt', '--detach', '--pid', String(process.pid), '--log-file', '/nowhere/log'],
    ['adopt', '--detach', '--pid', String(process.pid), '--pid-file', '/nowhere/pid'],
    ['adopt', '--pid', String(process.pid), '--log-file', folder],
    ['ctl', 'keygen', '--dir', '/nowhere', 'a'],
    ['ctl', '--sign-key', folder, '--all', 'ping'],
    ['--uri-file', folder, 'true'],
    ['--control-auth', 'signed', '--control-keys', '/nowhere', '-uri', 'none', '--', 'no-such-program'],
    ['--argv0', '', '--', ''],
  ];
  for (const words of cases) {
    for (const through of [[], nobody]) {
      const all = [...through, PROC_BOX, ...words];
      const { status, stderr } = spawnSync(all[0]!, all.slice(1), {
        encoding: 'utf8',
        env: { ...plainEnvironment(), PBOX_CONFIG: 'none' },
      });
      t.ok(status !== 0 && status !== null && status !== 1, `${words.join(' ')}: ${status}`);
      t.match(stderr, /^proc_box: error: [^\n]{1,400}\n$/, words.join(' '));
      t.notMatch(stderr, /\bat \S+:\d+:\d+|\.cjs|node:/, words.join(' '));
    }
  }
});

/** 10^8 values from a few lines. */
function bomb(): string {
  const layers = Array.from({ length: 8 }, (_, at) => {
    const item = at === 0 ? 'x' : `*a${at - 1}`;
    return `k${at}: &a${at} [${Array(10).fill(item).join(', ')}]`;
  });
  return `json: {${layers.join(', ')}}\n`;
}
