// test-timeout: 180s
import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import { tryBroker } from '../../src/amqp/tool-connection.js';
import { BrokerError } from '../../src/errors.js';
import { parseUris } from '../../src/options/uri.js';
import {
  ask,
  collect,
  fakeBox,
  foreignClient,
  notingLogger,
  privateBroker,
  sample,
  specFor,
  until,
} from '../fixtures/broker.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';

/** Users, passwords and vhosts of every kind of character, on both connections of a box and in proc_box ctl. */

const NAMES = [
  'plain',
  'a@b',
  'a%40b',
  'per%cent',
  'co:lon',
  'sl/ash',
  'quest?ion',
  'ha#sh',
  'sp ace',
  'co,mma',
  'ümlaut→',
  '%2f',
  'a%2Fb',
  '%25',
];
const VHOSTS = [
  '/',
  '%2f',
  'a%2Fb',
  'a/b',
  '%252F',
  'per%cent',
  'quest?ion',
  'ha#sh',
  'ümlaut→',
  'sp ace',
  'a@b',
  '..a',
];
const PASSWORDS = ['s%3Ar', 'p%w', '@', ':', '/', '%', '%%', '%25', 'pässwörd', 'a:b@c/d?e#f,g h', 'o\'q"u'];

const users = [
  ...NAMES.map((name, n) => ({ name, password: PASSWORDS[n % PASSWORDS.length]! })),
  { name: 'limited', password: 'x' },
];
const broker = await privateBroker(t, { users, vhosts: VHOSTS.filter((name) => name !== '/') });
const guest = await foreignClient(t, broker.uri);

const encoded = encodeURIComponent;
/** As a user writes it, and as parseUris hands it on. */
const uriOf = (name: string, password: string, vhost: string) =>
  parseUris(`amqp://${encoded(name)}:${encoded(password)}@127.0.0.1:${broker.port}/${encoded(vhost)}`)[0]!;

/** Both connections of a box; its sample arrives, and it answers. */
async function works(t: Test, uri: string, user: string) {
  const box = fakeBox();
  const { log, lines } = notingLogger();
  const spec = specFor(uri);
  const link = connectBroker(spec, box, log);
  t.teardown(() => link.close(0));
  const up = () => link.state().control.state === 'up' && link.state().statistics.state === 'up';
  await until(() => up() || link.state().control.lastError !== null, user);
  t.ok(up(), `${user}: ${link.state().control.lastError}`);
  return { spec, link, lines, box };
}

t.test('a user of any name with any password is let in by both connections', async (t) => {
  for (const { name, password } of users.slice(0, -1)) {
    const { spec, link, box } = await works(t, uriOf(name, password, '/'), name);
    const samples = await collect(guest.channel, 'amq.topic', `${spec.statsKey}.#`);
    link.publish(sample(box.identity.box, 1));
    const [first] = await samples.count(1);
    t.equal(first!.properties.userId, name);
    await link.close(1_000);
  }
});

t.test('a vhost of any name is the same one for both connections, and for proc_box ctl and check', async (t) => {
  for (const vhost of VHOSTS) {
    const uri = uriOf('guest', 'guest', vhost);
    const { spec, link, box } = await works(t, uri, vhost);
    const there = await foreignClient(t, `amqp://guest:guest@127.0.0.1:${broker.port}/${encoded(vhost)}`);
    const samples = await collect(there.channel, 'amq.topic', `${spec.statsKey}.#`);
    link.publish(sample(box.identity.box, 1));
    await samples.count(1);
    const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
    t.equal((await ask(there.channel, to, { command: 'ping' })).body.ok, true, vhost);
    t.match(await tryBroker({ uris: [uri], socketOptions: {} }), /RabbitMQ/, vhost);
    await link.close(1_000);
    await there.connection.close();
  }
});

t.test('a URI without a vhost, and one that ends with /, mean the default one', async (t) => {
  for (const end of ['', '/']) await works(t, parseUris(`${broker.uri}${end}`)[0]!, end);
});

for (const [text, problem] of [
  ['amqp://h/.', /vhost "." or "..", which a URI cannot contain/],
  ['amqp://h/%2e%2e', /vhost "." or "..", which a URI cannot contain/],
  ['amqp://u%00x:p@h', /escape of a control character/],
  ['amqp://u:p%00x@h', /escape of a control character/],
  ['amqp://u:p@h/v%0Ax', /escape of a control character/],
  ['amqp://u:p%w@h', /% that does not begin an escape/],
] as const)
  t.test(`${text} is refused at the start, without what it holds`, async (t) => {
    t.throws(() => parseUris(text), { message: problem });
  });

t.test("why a connection is refused is told in the broker's own words", async (t) => {
  await broker.ctl('set_user_limits', 'limited', '{"max-connections": 1}');
  await broker.ctl('set_permissions', '-p', '/', 'limited', '.*', '.*', '.*');
  await broker.ctl('clear_permissions', '-p', 'a/b', 'plain');
  await broker.ctl('set_vhost_limits', '-p', 'per%cent', '{"max-connections": 0}');
  const first = await foreignClient(t, uriOf('limited', 'x', '/'));
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'a limit of the user',
      uriOf('limited', 'x', '/'),
      /user connection limit \(1\) is reached: end other connections, or ask/,
    ],
    ['a limit of the vhost', uriOf('guest', 'guest', 'per%cent'), /connection limit \(0\) is reached/],
    [
      'no permission in the vhost',
      uriOf('plain', PASSWORDS[0]!, 'a/b'),
      /access to vhost 'a\/b' refused for user 'plain'.*ask the broker's administrator/,
    ],
    ['no such vhost', uriOf('guest', 'guest', 'no%where'), /vhost no%where not found: check the vhost of --uri/],
  ];
  for (const [what, uri, words] of cases) {
    const error = await tryBroker({ uris: [uri], socketOptions: {} }).catch((reason: unknown) => reason);
    t.ok(error instanceof BrokerError, what);
    t.match((error as Error).message, words, what);
    const { log, lines } = notingLogger();
    const link = connectBroker(specFor(uri), fakeBox(), log);
    t.teardown(() => link.close(0));
    const told = () => [link.state().control.lastError, link.state().statistics.lastError];
    await until(() => told().every((text) => text !== null), what);
    for (const text of told()) t.match(text, words, what);
    await link.close(0);
    t.equal(lines.filter((line) => line.includes('warn')).length, 2, 'once for each connection');
  }
  await first.connection.close();
});

t.test('proc_box ctl takes such a URI from the environment', async (t) => {
  const uri = `amqp://${encoded('a%40b')}:${encoded(PASSWORDS[2]!)}@127.0.0.1:${broker.port}/${encoded('a%2Fb')}`;
  const { stderr, status } = spawnSync(PROC_BOX, ['ctl', '--all', '--rkey', 'nobody.listens', 'ping'], {
    encoding: 'utf8',
    env: plainEnvironment({ PBOX_CONFIG: 'none', PBOX_URI: uri }),
  });
  t.match(stderr, /no box listens/);
  t.equal(status, 2);
});
