// test-timeout: 120s
import { chmodSync, existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { BoxPage, WhoAmI } from '../../src/observe/model/api.js';
import { Collector } from '../../src/observe/source/collector.js';
import { collectorSite } from '../fixtures/collector-site.js';
import { eventMessage, exitedMessage, sampleMessage } from '../fixtures/observed.js';
import { asUid } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { run, start, temporaryFolder } from '../fixtures/run.js';

/** The ways to a collector other than its own token: a Unix socket, a proxy; and what users' tools make of it. */

const isRoot = process.getuid!() === 0;
/** A user that every system has. */
const DAEMON = { uid: 1, name: 'daemon' };

function folderOfAll(t: Test): string {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  return folder;
}

const topOf = async (t: Test, address: string, through: readonly string[] = []) => {
  const words = ['top', '--config', 'none', '--collector', address, '--json'];
  const { code, stdout, stderr } = await run(t, [], { bare: true, options: words, through });
  return {
    code,
    stderr,
    users:
      code === 0
        ? JSON.parse(stdout)
            .map(({ user }: { user: string }) => user)
            .sort()
        : [],
  };
};

t.test(
  'a Unix socket: the kernel says who asks',
  { skip: !isRoot && 'needs root, to ask as several users' },
  async (t) => {
    const folder = folderOfAll(t);
    const [path, metrics] = [join(folder, 'collector.sock'), join(folder, 'metrics.sock')];
    const { publish, restart } = await collectorSite(t, ['--listen', path, '--metrics-listen', metrics]);
    const asRoot = new Collector(path);
    const nowMs = Date.now();
    await publish(
      sampleMessage({ box: 'b1', job: '1', user: 'alice' }, 1, nowMs),
      sampleMessage({ box: 'b2', job: '2', user: DAEMON.name }, 1, nowMs),
    );
    await until(async () => ((await asRoot.get('/boxes')) as BoxPage).matching === 2, 'both boxes');
    t.match((await asRoot.get('/whoami')) as WhoAmI, { user: 'root', operator: true, auth: 'socket' });
    t.match(await topOf(t, path), { code: 0, users: ['alice', DAEMON.name] });
    t.match(await topOf(t, path, asUid(DAEMON.uid)), { code: 0, users: [DAEMON.name] }, 'a user sees their own');
    t.match(
      await topOf(t, path, asUid(54_321)),
      { code: 125, stderr: /the kernel does not report who you are: .* as a user that has a name/ },
      'a number has no rights',
    );
    await restart();
    await until(async () => ((await asRoot.get('/boxes')) as BoxPage).matching === 2, 'sockets that SIGKILL leaves');
    t.match(await textOver({ socketPath: metrics, path: '/metrics' }), { status: 200, text: /^proc_box_boxes/m });
  },
);

t.test('a proxy names the user, and nobody else can', async (t) => {
  // Any address of 127/8 is an address of this host.
  const words = ['--auth', 'proxy', '--proxy-from', '127.0.0.2', '--proxy-header', 'X-Who', '--operators', 'boss'];
  const { publish, collector } = await collectorSite(t, words);
  const { hostname, port } = new URL(collector().url);
  const as = (from: string, headers: Record<string, string | string[]>, path = '/api/v1/boxes') =>
    textOver({ hostname, port, path, headers, localAddress: from });
  const boxes = async (user: string) => {
    const { status, text } = await as('127.0.0.2', { 'X-Who': user });
    return status === 200 ? (JSON.parse(text) as BoxPage).rows.map(({ box }) => box).sort() : status;
  };
  const nowMs = Date.now();
  await publish(
    sampleMessage({ box: 'b1', user: 'alice' }, 1, nowMs),
    sampleMessage({ box: 'b2', user: 'bob' }, 1, nowMs),
  );
  await until(async () => (await boxes('boss')).toString() === 'b1,b2', 'both boxes');
  t.strictSame(await boxes('alice'), ['b1']);
  t.strictSame(await boxes('nobody-here'), []);
  t.match(await as('127.0.0.1', { 'X-Who': 'boss' }), { status: 403, text: /--proxy-from does not list you/ });
  t.match(await as('127.0.0.2', {}), { status: 401, text: /did not name exactly one user in the header x-who/ });
  t.match(await as('127.0.0.2', { 'X-Who': ['alice', 'boss'] }), { status: 401 }, 'a client has added its own');
  t.match(await as('127.0.0.2', { 'X-Remote-User': 'boss' }), { status: 401 }, 'another header says nothing');
  t.match(await as('127.0.0.1', {}, '/'), { status: 200, text: /<html/ }, 'the files of the page are no secret');
});

t.test('proc_box watch reads what the collector takes in, each message once and as it was published', async (t) => {
  const path = join(folderOfAll(t), 'collector.sock');
  const { publish, restart } = await collectorSite(t, ['--listen', path]);
  const watching = (words: readonly string[]) => {
    const options = ['watch', '--config', 'none', '--collector', path, ...words];
    const running = start(t, [], { bare: true, options });
    const seen = (text: string, count = 1) =>
      until(() => running.stderr().split(text).length > count, `${text}: ${running.stderr()}`);
    return { ...running, seen };
  };
  const nowMs = Date.now();
  const of = { box: 'b1', job: '7_1', user: 'alice', host: 'node1' };
  const lines = watching(['--job', '7', '--until', 'exited']);
  const json = watching(['--json', '--only', 'sample', '--count', '2']);
  await Promise.all([lines.seen('watching'), json.seen('watching')]);
  const first = sampleMessage(of, 2, nowMs, { UserData: 0 });
  await publish(
    eventMessage(of, 1, nowMs, 'started', { executable: 'app' }),
    first,
    first,
    sampleMessage({ box: 'b2', job: '8' }, 1, nowMs),
  );
  const { code, stdout } = await json.done;
  t.equal(code, 0);
  t.strictSame(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [first, sampleMessage({ box: 'b2', job: '8' }, 1, nowMs)].map((one) => JSON.parse(JSON.stringify(one))),
  );
  await restart();
  await lines.seen('watching', 2);
  await publish(exitedMessage(of, 3, nowMs + 1_000, { exit_status: 3 }));
  const ended = await lines.done;
  t.equal(ended.code, 0);
  t.match(ended.stderr, /not connected: collector .*collector\.sock: .*; trying again/);
  t.equal(ended.stdout.trim().split('\n').length, 3, ended.stdout);
  t.match(ended.stdout, / alice 7_1 started: .*\n.* alice 7_1 sample: .*\n.* alice 7_1 ended: /);
});

t.test('an address that is none is told at once', async (t) => {
  const nowhere = join(temporaryFolder(t), 'nobody');
  t.notOk(existsSync(nowhere));
  for (const verb of ['watch', 'top'])
    t.match(await run(t, [], { bare: true, options: [verb, '--config', 'none', '--collector', nowhere] }), {
      code: 125,
      stderr: /nobody: ENOENT: is it running there\?/,
    });
});

interface Asked {
  readonly path: string;
  readonly socketPath?: string;
  readonly hostname?: string;
  readonly port?: string;
  readonly localAddress?: string;
  readonly headers?: Record<string, string | string[]>;
}

function textOver(asked: Asked): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(asked, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}
