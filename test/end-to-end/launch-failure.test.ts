import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** `--failure`: what happens to the job where no box can be made. */

const ROOT = dirname(dirname(PROC_BOX));
const ADDON = 'native/build/Release/cgroup_utils_native.node';
const JOB = ['sh', '-c', 'read line; echo "got $line from $0 with $PBOX_FAILURE."; exit 7', 'me'];
const OPEN = { PBOX_FAILURE: 'open', PBOX_URI: 'none', PBOX_CONFIG: 'none' };

/** An installation of its own, to be broken. */
function installation(t: Test): string {
  const dir = temporaryFolder(t);
  for (const part of ['bin/proc_box', 'dist', ADDON]) {
    mkdirSync(dirname(join(dir, part)), { recursive: true });
    cpSync(join(ROOT, part), join(dir, part), { recursive: true });
  }
  return dir;
}

function runIn(dir: string, env: Record<string, string>, words: readonly string[] = ['--', ...JOB], through = ['env']) {
  const [program = '', ...args] = [...through, join(dir, 'bin/proc_box'), ...words];
  const options = { env: plainEnvironment(env), input: 'words\n', encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(program, args, options);
  return { status, stdout, stderr };
}

const RAN = {
  status: 7,
  stdout: 'got words from me with .\n',
  stderr: /the job runs without a box \(--failure open\)/,
};

/** How an installation breaks. */
const BROKEN: Readonly<Record<string, (dir: string) => void>> = {
  'the native part is no library': (dir) => writeFileSync(join(dir, ADDON), 'junk'),
  'the native part is missing': (dir) => rmSync(join(dir, ADDON)),
  'a bundle is missing': (dir) => rmSync(join(dir, 'dist/main.cjs')),
  'the loader is missing': (dir) => rmSync(join(dir, 'dist/boot.cjs')),
};

for (const [name, breakIt] of Object.entries(BROKEN)) {
  t.test(name, async (t) => {
    const dir = installation(t);
    breakIt(dir);
    t.match(runIn(dir, OPEN), RAN);
    t.match(runIn(dir, {}, ['--failure', 'open', '--', ...JOB]), RAN);
    const closed = runIn(dir, { PBOX_FAILURE: 'closed' });
    t.equal(closed.stdout, '');
    t.not(closed.status, 0);
    t.not(closed.status, 7);
    t.match(runIn(dir, OPEN, ['--', '/nowhere/program']), { status: 127 });
    // Without even a wrapper the job dies of it itself.
    t.ok([137, null].includes(runIn(dir, OPEN, ['--', 'sh', '-c', 'kill -9 $$']).status));
  });
}

t.test('there is no Node', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async (t) => {
  const hide = `mount --bind /dev/null ${process.execPath} && PATH=/nowhere exec "$@"`;
  const through = ['unshare', '-m', '/bin/sh', '-c', hide, 'sh'];
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) return t.pass('', { skip: 'needs a mount namespace' });
  const dir = installation(t);
  t.match(runIn(dir, { ...OPEN, PATH: '/bin' }, ['--', '/bin/sh', ...JOB.slice(1)], through), RAN);
  t.match(runIn(dir, { PATH: '/bin' }, ['--', '/bin/sh', ...JOB.slice(1)], through), {
    status: 125,
    stdout: '',
    stderr: /start Node/,
  });
});

t.test('options and files that cannot be read', async (t) => {
  const config = join(temporaryFolder(t), 'config.yaml');
  writeFileSync(config, 'memory: [\n');
  const cases: [string, Record<string, string>, readonly string[]][] = [
    ['a config file that is none', { ...OPEN, PBOX_CONFIG: config }, ['--', ...JOB]],
    ['a config file that is not there', { ...OPEN, PBOX_CONFIG: '/nowhere' }, ['--', ...JOB]],
    ['a variable that does not parse', { ...OPEN, PBOX_MEMORY: 'much' }, ['--', ...JOB]],
    [
      'a limit that cannot be held',
      { ...OPEN, PBOX_CGROUP: 'off', PBOX_CPUS: '1', PBOX_ENFORCE: 'strict' },
      ['--', ...JOB],
    ],
    ['the command line says so', { PBOX_URI: 'none', PBOX_MEMORY: 'much' }, ['--failure=open', '--', ...JOB]],
  ];
  for (const [name, env, words] of cases) t.match(runIn(ROOT, env, words), RAN, name);
  const closed: typeof cases = [
    ['closed is the default', { ...OPEN, PBOX_FAILURE: 'closed', PBOX_MEMORY: 'much' }, ['--', ...JOB]],
    ['the command line wins', { ...OPEN, PBOX_MEMORY: 'much' }, ['--failure', 'closed', '--', ...JOB]],
    ['without -- the command is not known', { ...OPEN, PBOX_MEMORY: 'much' }, JOB],
  ];
  for (const [name, env, words] of closed) {
    t.match(runIn(ROOT, env, words), { status: 125, stdout: '', stderr: /memory/i }, name);
  }
});

t.test('a broker that is not there is no failure', async (t) => {
  const env = { ...OPEN, PBOX_URI: 'amqp://127.0.0.1:1', PBOX_FLUSH: '100ms', PBOX_FAILURE: 'closed' };
  const { status, stdout } = runIn(ROOT, env);
  t.equal(status, 7);
  t.equal(stdout, RAN.stdout);
});
