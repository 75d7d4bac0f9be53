// debian: openssl
// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import amqp from 'amqplib';
import t from 'tap';
import { freePorts } from '../../scripts/dev/broker.mjs';
import { tryBroker } from '../../src/amqp/tool-connection.js';
import { needsOwnLink } from '../fixtures/agent.js';
import { collect, privateBroker, unique } from '../fixtures/broker.js';
import { type Certificate, newAuthority } from '../fixtures/certificates.js';
import { readProc, until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, start, temporaryFolder } from '../fixtures/run.js';

/** amqps, client certificates and SASL EXTERNAL, against a real broker that insists on them. */

const dir = temporaryFolder(t);
const ca = newAuthority(dir, 'ca');
const foreign = newAuthority(dir, 'foreign');
const server = ca.issue('broker', { names: 'DNS:localhost' });
const alice = ca.issue('alice');
const nobody = ca.issue('nobody');
// It expires within the second; newer versions of openssl issue none that has expired already.
const late = ca.issue('alice', { days: 0 });
const stranger = foreign.issue('alice');
const [tlsPort] = await freePorts(1);

const broker = await privateBroker(t, {
  vhosts: ['a%2Fb'],
  users: [{ name: 'alice', password: 'not used' }],
  ports: [tlsPort!],
  plugins: ['rabbitmq_auth_mechanism_ssl'],
  conf: `listeners.ssl.1 = 127.0.0.1:${tlsPort}
ssl_options.cacertfile = ${ca.cert}
ssl_options.certfile = ${server.cert}
ssl_options.keyfile = ${server.key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name`,
});
const uri = `amqps://localhost:${tlsPort}`;
const external = `${uri}?auth_mechanism=external`;
const pem = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });
const trusted = { ca: readFileSync(ca.cert, 'utf8') };

t.test('whoever has the right certificates gets in', async (t) => {
  for (const [what, to] of [
    ['with a password', uri],
    ['by the certificate', external],
  ] as const) {
    const greeting = await tryBroker({ uris: [to], socketOptions: { ...trusted, ...pem(alice) } });
    t.match(greeting, /^localhost:\d+: RabbitMQ/, what);
  }
});

t.test('what goes wrong is told with what to do about it', async (t) => {
  const expired = createTlsServer(pem(ca.issue('old', { names: 'DNS:localhost', days: 0 })));
  await new Promise<void>((resolve) => expired.listen(0, '127.0.0.1', resolve));
  t.teardown(() => expired.close());
  const expiredPort = (expired.address() as { port: number }).port;
  const own = { ...trusted, ...pem(alice) };
  const cases: readonly (readonly [string, string, Readonly<Record<string, unknown>>, RegExp])[] = [
    ['no authority', uri, pem(alice), /not signed by an authority that we trust.*--tls-ca/],
    [
      'another authority',
      uri,
      { ...own, ca: readFileSync(foreign.cert) },
      /not signed by an authority that we trust.*--tls-ca/,
    ],
    [
      'another name',
      `amqps://127.0.0.1:${tlsPort}`,
      own,
      /certificate is not valid for "127\.0\.0\.1": use a name that it is valid for in --uri/,
    ],
    ['an old certificate of the broker', `amqps://localhost:${expiredPort}`, own, /broker's certificate has expired/],
    ['no certificate of ours', uri, trusted, /requires a client certificate.*--tls-cert.*--tls-key/],
    ['one that is not trusted', uri, { ...trusted, ...pem(stranger) }, /does not trust our certificate \(--tls-cert\)/],
    ['one that has expired', uri, { ...trusted, ...pem(late) }, /our certificate \(--tls-cert\) has expired/],
    ["another one's key", uri, { ...own, key: pem(nobody).key }, /private key of --tls-key does not belong to/],
    ['no key', uri, { ...own, key: '-----BEGIN x' }, /cannot be read.*check --tls-cert and --tls-key/],
    ['a wrong password', uri.replace('//', '//guest:secret@'), own, /login of user "guest" was refused/],
    ['a certificate of no user', external, { ...trusted, ...pem(nobody) }, /a user with the certificate's name/],
    ['an unknown vhost', `${uri}/none`, own, /vhost none not found: check the vhost/],
    [
      'EXTERNAL without TLS',
      `amqp://localhost:${broker.port}?auth_mechanism=external`,
      {},
      /does not offer login by EXTERNAL/,
    ],
    ['TLS where there is none', `amqps://localhost:${broker.port}`, own, /does not speak TLS.*5671/],
    [
      'no TLS where there is',
      `amqp://localhost:${tlsPort}`,
      {},
      /if the port expects TLS, give amqps:\/\/|connection was lost/,
    ],
  ];
  for (const [what, to, socketOptions, message] of cases) {
    const error = await tryBroker({ uris: [to], socketOptions }).catch((reason: Error) => reason);
    t.match(error, { name: 'BrokerError', message }, what);
    t.notMatch(String((error as Error).message), /secret|BEGIN|\.\.\/deps|\n/, `${what}: one line without secrets`);
  }
});

t.test(
  'a box and proc_box ctl log in by certificate, and nothing of the key shows',
  { skip: needsOwnLink },
  async (t) => {
    const key = unique('tls');
    const tls = ['--tls-ca', ca.cert, '--tls-cert', alice.cert, '--tls-key', alice.key];
    const connection = await amqp.connect(broker.uri);
    t.teardown(() => connection.close());
    const { count } = await collect((await connection.createConfirmChannel()) as never, 'amq.topic', `${key}.stats.#`);
    const running = start(t, ['sh', '-c', 'env; echo ready; exec sleep 1000'], {
      bare: true,
      options: ['--config', 'none', '--debug', '-uri', external, '-rkey', key, '-skey', `${key}.stats`, ...tls],
    });
    await running.says('ready\n');
    await count(1);
    await until(() => running.stderr().includes('control: connected'), 'it can be commanded');
    const words = [
      'ctl',
      '--uri',
      external.replace('//', '//alice@'),
      ...tls,
      '--rkey',
      key,
      '--all',
      '--answers',
      '1',
    ];
    const env = plainEnvironment({ PBOX_CONFIG: 'none' });
    const options = { encoding: 'utf8', env } as const;
    const ctl = spawnSync(PROC_BOX, [...words, '--wait', '20s', '--resend', '100ms', 'kill', 'TERM'], options);
    t.equal(ctl.status, 0, ctl.stdout + ctl.stderr);
    t.match(ctl.stdout, /kill ok signal=TERM/);
    const secret = pem(alice).key.split('\n')[1]!;
    const shown = ['cmdline', 'environ'].map((name) => readProc(`/proc/${running.pid}/${name}`) ?? '');
    const { stdout, stderr, code } = await running.done;
    t.equal(code, 143);
    for (const text of [...shown, stdout, stderr, ctl.stderr]) t.notOk(text.includes(secret));
  },
);

t.test(
  'a box that logs in by certificate publishes in the name that the broker knows it by',
  { skip: needsOwnLink },
  async (t) => {
    const connection = await amqp.connect(`${broker.uri}/a%252Fb`);
    t.teardown(() => connection.close());
    for (const [user, expected] of [
      ['someone@', 'alice'],
      ['alice@', 'alice'],
      ['', undefined],
    ] as const) {
      const key = unique('tls');
      const { count } = await collect(
        (await connection.createConfirmChannel()) as never,
        'amq.topic',
        `${key}.stats.#`,
      );
      const named = `amqps://${user}localhost:${tlsPort}/a%252Fb?auth_mechanism=external`;
      const tls = ['--tls-ca', ca.cert, '--tls-cert', alice.cert, '--tls-key', alice.key];
      const running = start(t, ['true'], {
        bare: true,
        options: ['--config', 'none', '-uri', named, '-skey', `${key}.stats`, '--flush', '20s', ...tls],
      });
      const [sample] = await count(1);
      t.equal(sample!.properties.userId, expected, user);
      await running.done;
      t.notMatch(running.stderr(), /warn/);
    }
  },
);

t.test('a box that is not let in says so once, and its job is what it was', { skip: needsOwnLink }, async (t) => {
  const running = start(t, ['sh', '-c', 'echo out; exit 3'], {
    bare: true,
    options: ['--config', 'none', '-uri', uri, '--tls-ca', ca.cert],
  });
  const { code, stdout, stderr } = await running.done;
  t.equal(code, 3);
  t.equal(stdout, 'out\n');
  t.match(stderr, /warn: statistics: broker localhost:\d+: TLS: the broker requires a client certificate/);
});

t.test('files of TLS are read before the job starts', async (t) => {
  const run = (...words: string[]) =>
    spawnSync(PROC_BOX, ['--config', 'none', '-uri', 'none', ...words, 'true'], {
      encoding: 'utf8',
      env: plainEnvironment(),
    });
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['--tls-ca', join(dir, 'none')], /--tls-ca: read .*none: ENOENT/],
    [['--tls-ca', '/etc/hostname'], /--tls-ca: \/etc\/hostname is not a PEM file/],
    [['--tls-cert', alice.cert], /--tls-cert: a certificate needs its private key: give it with --tls-key/],
    [['--tls-key', alice.key], /--tls-key: a private key is of no use without its certificate/],
    [['--tls-cert', alice.cert, '--tls-key', alice.cert], /--tls-key: .* has mode 0644.*chmod 600/],
  ];
  for (const [words, message] of wrong) {
    const { status, stderr } = run(...words);
    t.equal(status, 125);
    t.match(stderr, message);
  }
});
