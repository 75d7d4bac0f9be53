// test-timeout: 300s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConsumeMessage } from 'amqplib';
import t, { type Test } from 'tap';
import { until } from '../fixtures/broker.js';
import { rabbitSite, SITE } from '../fixtures/rabbitmq-site.js';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/**
 * docs/security.md followed to the letter, by the users that it is for: alice and bob run jobs, olga operates, collect
 * reads, and carol has no account at the broker. /etc is that of a mount namespace: users, and the site's config file.
 */

const possible = spawnSync('unshare', ['--mount', 'mount', '--make-rprivate', '/']).status === 0;
if (!possible) {
  t.pass('skipped', { skip: 'needs unshare --mount' });
  process.exit();
}

const { dir, connectionOf } = await rabbitSite(t);
const folder = temporaryFolder(t);
chmodSync(folder, 0o755);
const etc = join(folder, 'etc');
spawnSync('cp', ['-a', '/etc', etc]);
mkdirSync(join(etc, 'proc_box'), { recursive: true });
copyFileSync(join(SITE, 'config.yaml'), join(etc, 'proc_box/config.yaml'));
const USERS = { alice: 20_001, bob: 20_002, olga: 20_003, carol: 20_004 };
const ACCOUNTS: Partial<Record<string, string>> = { alice: 'alice', bob: 'bob', olga: 'op-olga' };
for (const [user, uid] of Object.entries(USERS)) {
  const home = join(folder, user);
  mkdirSync(home, { mode: 0o700 });
  chownSync(home, uid, uid);
  appendFileSync(join(etc, 'passwd'), `${user}:x:${uid}:${uid}::${home}:/bin/sh\n`);
  const account = ACCOUNTS[user];
  if (account === undefined) continue;
  copyFileSync(join(dir, account), join(home, '.proc_box_uri'));
  chownSync(join(home, '.proc_box_uri'), uid, uid);
}
const ENTER = 'mount --make-rprivate / && mount --bind "$0" /etc && exec "$@"';

/** Runs proc_box as the user. */
function as(t: Test, user: keyof typeof USERS, words: readonly string[], env: Record<string, string> = {}) {
  const ids = [`--reuid=${USERS[user]}`, `--regid=${USERS[user]}`, '--clear-groups'];
  const child = spawn('unshare', ['--mount', 'sh', '-c', ENTER, etc, 'setpriv', ...ids, PROC_BOX, ...words], {
    env: { ...plainEnvironment(), HOME: join(folder, user), USER: user, ...env },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return output(child);
}

function output(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

const ctl = (t: Test, user: keyof typeof USERS, ...words: string[]) => as(t, user, ['ctl', '--wait', '60s', ...words]);
/** Of a table: user, job and state. */
const rows = (table: string) =>
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/))
    .map(([user, job, , , state]) => `${user} ${job} ${state}`);

const collected: ConsumeMessage[] = [];
const collector = await connectionOf('collect').createChannel();
await collector.consume('proc_box.collect', (message) => message !== null && collected.push(message), { noAck: true });

const jobs = {
  alice: as(t, 'alice', ['sleep', '1000'], { SLURM_JOB_ID: '101' }),
  bob: as(t, 'bob', ['sleep', '1000'], { SLURM_JOB_ID: '102' }),
};
let host = '';

t.test('an operator sees the boxes of all users as a table', async (t) => {
  const { code, stdout, stderr } = await ctl(t, 'olga', '--all', '--answers', '2', '--resend', '200ms', 'ping');
  t.equal(stderr, '');
  t.equal(code, 0);
  t.match(stdout, /^USER +JOB +TASK +HOST +STATE +MEMORY +BOX\n/);
  t.strictSame(rows(stdout), ['alice 101 running', 'bob 102 running']);
  t.match(stdout, / [\d.]+ [KM]iB /, 'with their memory');
  host = stdout.split('\n')[1]!.split(/ {2,}/)[3]!;
});

t.test('and reaches them by host, user and job', async (t) => {
  for (const [words, expected] of [
    [
      ['--host', host, '--answers', '2'],
      ['alice 101 running', 'bob 102 running'],
    ],
    [['--user', 'bob', '--answers', '1'], ['bob 102 running']],
    [['--job', '101', '--answers', '1'], ['alice 101 running']],
    [['--user', 'alice', '--job', '101', '--answers', '1'], ['alice 101 running']],
    [['--all', '--answers', '2', '--wait', '2s', '--node', 'elsewhere'], []],
  ] as const) {
    const { stdout, stderr } = await ctl(t, 'olga', ...words, 'ping');
    t.strictSame(rows(stdout), expected, `${words.join(' ')}: ${stderr}`);
  }
  const changed = await ctl(t, 'olga', '--job', '102', '--answers', '1', 'set_limit', 'timeout', '2h');
  t.match(changed, {
    code: 0,
    stdout: /set_limit ok limit=timeout, value=2 h, enforcement=timer, source=command\n$/,
    stderr: '',
  });
  const where = await as(t, 'olga', ['where', '102']);
  t.match(where.stdout, /^job 102 .*on .* box .*, running, pid \d+, user bob$/m, where.stderr);
});

t.test('a user reaches his own boxes, and nobody else', async (t) => {
  const all = await ctl(t, 'alice', '--all', '--answers', '1', 'ping');
  t.strictSame(rows(all.stdout), ['alice 101 running'], all.stderr);
  t.match(await ctl(t, 'alice', '--job', '101', '--answers', '1', 'suspend'), { code: 0, stdout: /suspend ok/ });
  t.match(await ctl(t, 'alice', '--job', '101', '--answers', '1', 'resume'), { code: 0, stdout: /resume ok/ });
  t.match(await ctl(t, 'alice', '--job', '101', '--answers', '1', 'kill'), {
    code: 1,
    stdout: /kill refused: forbidden: user "alice" may not give this command/,
  });
  t.match(await ctl(t, 'alice', '--job', '102', 'kill'), {
    code: 2,
    stderr: /no box listens on ".*\.user\.alice\.job\.102"/,
  });
  t.match(await ctl(t, 'alice', '--user', 'bob', 'kill'), { code: 125, stderr: /access to topic .* refused/ });
});

t.test('a user without an account at the broker has jobs, and is told', async (t) => {
  const { code, stdout, stderr } = await as(t, 'carol', ['sh', '-c', 'echo out; exit 7']);
  t.strictSame([code, stdout], [7, 'out\n']);
  t.match(stderr, /config\.yaml:\d+.*~\/\.proc_box_uri does not exist, so this box runs without a broker/);
  t.equal(stderr.split('does not exist').length, 2, 'once');
  const asked = await ctl(t, 'carol', '--all', 'ping');
  t.match(asked, { code: 125, stderr: /~\/\.proc_box_uri does not exist[\s\S]*give the URI/ });
});

t.test('the collector gets samples and events of both, in names that the broker vouches for', async (t) => {
  for (const user of ['alice', 'bob'])
    t.match(await ctl(t, 'olga', '--user', user, '--answers', '1', 'kill'), { code: 0, stdout: /kill ok/ });
  for (const { code } of await Promise.all(Object.values(jobs))) t.equal(code, 137);
  const ended = () => collected.filter(({ content }) => JSON.parse(content.toString()).event === 'exited');
  await until(() => ended().length >= 2, 'both have told their end');
  for (const user of ['alice', 'bob']) {
    const own = collected.filter(({ properties }) => properties.userId === user);
    const bodies = own.map(({ content }) => JSON.parse(content.toString()));
    t.ok(bodies.every((body) => (body.Identity ?? body.identity).user === user));
    t.ok(own.some(({ fields }) => fields.routingKey === `proc_box.stats.${user}.${host}`));
    const exited = bodies.find(({ event }) => event === 'exited');
    t.match(exited, { by: { user: 'op-olga' } }, 'who has ended it is known');
    t.ok(bodies.some(({ event, command }) => event === 'command' && command === 'kill'));
  }
  t.ok(collected.every(({ properties }) => properties.userId !== undefined));
});
