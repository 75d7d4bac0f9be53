import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { needsOwnNode } from '../fixtures/agent.js';
import { collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { until } from '../fixtures/processes.js';
import { job, PROC_BOX, plainEnvironment, start, temporaryFolder } from '../fixtures/run.js';
import { schemaErrors } from '../fixtures/schemas.js';

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
/** What is wrong costs only itself. */
const BOXED = { ...RAN, stderr: /; the job runs in a box .* \(--failure open\)\n/ };

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

/** The installation whose native part is missing, in the place of ours. */
function broken(t: Test, words: readonly string[], env: Record<string, string> = {}) {
  const dir = installation(t);
  BROKEN['the native part is missing']!(dir);
  const through = ['sh', '-c', `shift; exec ${join(dir, 'bin/proc_box')} "$@"`, 'sh'];
  return start(t, words, { bare: true, through, env: { ...OPEN, ...env } });
}

t.test('without a box signals reach the job, each once', async (t) => {
  const running = broken(t, ['--', ...job('signal-log.py')]);
  await until(() => running.stdout().includes('ready'), 'the job runs');
  running.kill('SIGHUP'); // asks for a sample, where there are any
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGTERM'] as const) {
    running.kill(name);
    await until(() => running.stdout().includes(name), `${name} has arrived`);
  }
  t.match(await running.done, { code: 40, stdout: 'ready\nSIGUSR1\nSIGUSR2\nSIGCONT\nSIGTERM\n' });
});

t.test('without a box a death by signal is told as with one', async (t) => {
  const dies = ['sh', '-c', 'kill -TERM $$'];
  t.match(await broken(t, ['--', ...dies]).done, { code: 143, signal: null });
  t.match(await broken(t, ['--reraise', '--', ...dies]).done, { code: null, signal: 'SIGTERM' });
  t.match(await broken(t, ['--', ...dies], { PBS_JOBID: '7.server' }).done, { code: null, signal: 'SIGTERM' });
});

t.test('without a box nothing is left, either', async (t) => {
  const left = broken(t, ['--', 'sh', '-c', '(setsid sleep 1000 &); echo up; exit 3']);
  t.match(await left.done, { code: 3 });
  t.strictSame(left.members(), []);
  const killed = broken(t, ['--', 'sh', '-c', '(setsid sleep 1000 &); echo up; sleep 1000']);
  await until(() => killed.stdout().includes('up'), 'the job runs');
  killed.kill('SIGKILL');
  await killed.end();
  await until(() => killed.members().length === 0, 'everything has ended');
});

t.test('a job without a box is told of by an event', { skip: needsOwnNode }, async (t) => {
  const uri = await sharedBroker(t);
  const { channel } = await foreignClient(t, uri);
  const ekey = unique('unboxed');
  const events = await collect(channel, 'amq.topic', `${ekey}.#`);
  const told = (name: string) =>
    events.messages.filter(({ content }) => JSON.parse(content.toString()).event === name).length;
  const site = { ...OPEN, PBOX_URI: uri, PBOX_EKEY: ekey, SLURM_JOB_ID: '4711', SLURM_STEP_ID: '3' };
  const missing = installation(t);
  BROKEN['the native part is missing']!(missing);
  const config = join(temporaryFolder(t), 'config.yaml');
  writeFileSync(config, 'memory: [\n');
  const both = { ...site, PBOX_URI: uri, PBOX_URI_FILE: '/nowhere' };
  const cases: [string, Record<string, string>, readonly string[], RegExp, string][] = [
    [ROOT, { ...site, PBOX_MEMORY: 'much' }, [], /PBOX_MEMORY/, 'options_ignored'],
    [ROOT, site, ['--memry', '4G'], /unknown option "--memry"/, 'options_ignored'],
    [ROOT, { ...site, PBOX_CONFIG: config }, [], /config.yaml/, 'options_ignored'],
    [ROOT, both, [], /PBOX_URI_FILE and PBOX_URI are both given/, 'options_ignored'],
    [missing, { ...site, PBOX_URI: 'amqp://127.0.0.1:1' }, ['--uri', uri], /cgroup_utils_native/, 'unboxed'],
  ];
  for (const [dir, env, words, why, name] of cases) {
    const ran = await runBeside(t, dir, env, [...words, '--', ...JOB]);
    t.match(ran, name === 'unboxed' ? RAN : BOXED);
    const named = () => events.messages.filter(({ content }) => JSON.parse(content.toString()).event === name);
    await until(() => named().length > 0, `${name} is told`);
    const { content, properties, fields } = named()[0]!;
    const event = JSON.parse(content.toString());
    t.strictSame(schemaErrors('event', event), []);
    t.match(event, { event: name, identity: { scheduler: 'slurm', job: '4711', step: '3' }, why });
    t.match(properties, { type: 'proc_box.event', appId: 'proc_box' });
    t.equal(fields.routingKey, `${ekey}.${hostname()}`);
    if (name === 'options_ignored') await until(() => told('exited') > 0, 'it is a box, to its end');
    if (name === 'unboxed') t.notMatch(ran.stderr, 'started in box');
    events.messages.length = 0;
  }
  t.match(await runBeside(t, ROOT, { ...site, PBOX_MEMORY: 'much', PBOX_FAILURE: 'closed' }, ['--', 'true']), {
    status: 125,
  });
  t.match(await runBeside(t, ROOT, { ...site, PBOX_MEMORY: 'much', PBOX_URI: 'none' }, ['--', ...JOB]), BOXED);
  t.equal(events.messages.length, 0, "a job that did not start is nobody else's concern");
});

t.test('a broker that does not answer holds nothing up for longer than 2 s', { skip: needsOwnNode }, async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const began = performance.now();
  const dir = installation(t);
  BROKEN['the native part is missing']!(dir);
  const env = { ...OPEN, PBOX_URI: `amqp://127.0.0.1:${port}` };
  t.match(await runBeside(t, dir, env, ['--', ...JOB]), RAN);
  t.ok(performance.now() - began < 10_000, 'with what the start takes on a busy host');
});

/** As `runIn`, while this process goes on serving. */
async function runBeside(t: Test, dir: string, env: Record<string, string>, words: readonly string[]) {
  const through = ['sh', '-c', `shift; exec ${join(dir, 'bin/proc_box')} "$@"`, 'sh'];
  const running = start(t, words, { bare: true, through, env, input: 'words\n' });
  const { code, stdout, stderr } = await running.done;
  return { status: code, stdout, stderr };
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
    ['without -- where every option is known', { ...OPEN, PBOX_MEMORY: 'much' }, JOB],
    ['the command line says so', { PBOX_URI: 'none', PBOX_MEMORY: 'much' }, ['--failure=open', '--', ...JOB]],
  ];
  for (const [name, env, words] of cases) t.match(runIn(ROOT, env, words), BOXED, name);
  const closed: typeof cases = [
    ['closed is the default', { ...OPEN, PBOX_FAILURE: 'closed', PBOX_MEMORY: 'much' }, ['--', ...JOB]],
    ['the command line wins', { ...OPEN, PBOX_MEMORY: 'much' }, ['--failure', 'closed', '--', ...JOB]],
    [
      'after an unknown option without -- the command is not known',
      { ...OPEN, PBOX_MEMORY: 'much' },
      ['--memroy', '1G', ...JOB],
    ],
  ];
  for (const [name, env, words] of closed) {
    t.match(runIn(ROOT, env, words), { status: 125, stdout: '', stderr: /mem/i }, name);
  }
});

t.test('a broker that is not there is no failure', async (t) => {
  const env = { ...OPEN, PBOX_URI: 'amqp://127.0.0.1:1', PBOX_FLUSH: '100ms', PBOX_FAILURE: 'closed' };
  const { status, stdout } = runIn(ROOT, env);
  t.equal(status, 7);
  t.equal(stdout, RAN.stdout);
});
