import t from 'tap';
import * as yaml from 'yaml';
import { SpecError } from '../../src/errors.js';
import type { Files } from '../../src/options/files.js';
import { readRascalConfig } from '../../src/options/rascal-config.js';

const PEM = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
const read = (text: string) => {
  const contents: Record<string, string> = { '/r.yaml': text, '/ca.pem': PEM };
  const files: Files = {
    uid: 0,
    read(path) {
      const found = contents[path];
      return found === undefined ? 'ENOENT' : { text: found, mode: 0o600, uid: 0 };
    },
  };
  return readRascalConfig('/r.yaml', '--rascal-config', files, () => yaml);
};

t.test('known sections come back as they were, YAML or JSON', async (t) => {
  t.strictSame(
    read(
      'connection:\n  options: {heartbeat: 5}\n  socketOptions:\n    ca: /ca.pem\n    rejectUnauthorized: true\n    servername: x\n',
    ),
    {
      connection: { options: { heartbeat: 5 }, socketOptions: { ca: PEM, rejectUnauthorized: true, servername: 'x' } },
    },
  );
  t.strictSame(
    read(
      JSON.stringify({
        queue: { arguments: { 'x-max-length': 5, a: 'b', c: true } },
        publications: { statistics: { expiration: '5', persistent: false } },
      }),
    ),
    {
      queue: { arguments: { 'x-max-length': 5, a: 'b', c: true } },
      publications: { statistics: { expiration: '5', persistent: false } },
    },
  );
  t.strictSame(read(`connection:\n  socketOptions:\n    key: |\n      ${PEM.trim().replaceAll('\n', '\n      ')}\n`), {
    connection: { socketOptions: { key: PEM } },
  });
  t.strictSame(read(''), {});
});

t.test('every fault names file, line and key, and repeats no value', async (t) => {
  const cases: [string, string][] = [
    [
      'connection:\n  optoins: {}',
      '/r.yaml:2: "connection.optoins" is not a key of --rascal-config; did you mean "options"?',
    ],
    [
      'vhosts: {}',
      '/r.yaml:1: "vhosts" is not a key of --rascal-config; expected one of connection, exchange, queue, publications',
    ],
    [
      '__proto__: {}',
      '/r.yaml:1: "__proto__" is not a key of --rascal-config; expected one of connection, exchange, queue, publications',
    ],
    ['queue: 5', '/r.yaml:1: queue: expected a mapping with arguments'],
    [
      'connection:\n  options:\n    heartbeat: -1',
      '/r.yaml:3: connection.options.heartbeat: expected a whole number of 0 or more, for example 10',
    ],
    [
      'connection: {options: {heartbeat: "5"}}',
      '/r.yaml:1: connection.options.heartbeat: expected a whole number of 0 or more, for example 10',
    ],
    ['exchange: {options: {durable: yes}}', '/r.yaml:1: exchange.options.durable: expected true or false'],
    [
      'connection: {socketOptions: {passphrase: [s3cret]}}',
      '/r.yaml:1: connection.socketOptions.passphrase: expected a string, for example "x"',
    ],
    [
      'connection: {socketOptions: {key: s3cret}}',
      '/r.yaml:1: connection.socketOptions.key: expected PEM text or the absolute path of a PEM file, for example "/etc/ssl/certs/broker.pem"',
    ],
    [
      'connection: {socketOptions: {ca: /no}}',
      '/r.yaml:1: connection.socketOptions.ca: read /no: ENOENT; give the path of a file that this user may read',
    ],
    [
      'queue: {arguments: {a: [1]}}',
      '/r.yaml:1: queue.arguments: expected a mapping of names to strings, numbers or booleans, for example {x-max-length: 100}',
    ],
    [
      'queue: {arguments: 5}',
      '/r.yaml:1: queue.arguments: expected a mapping of names to strings, numbers or booleans, for example {x-max-length: 100}',
    ],
    ['queue: {', '/r.yaml:1: not valid YAML (bad indent): expected lines of "key: value"'],
  ];
  for (const [text, message] of cases) t.throws(() => read(text), new SpecError(message), text);
  t.throws(
    () =>
      readRascalConfig(
        '/none',
        '--rascal-config',
        {
          uid: 0,
          read: () => 'EACCES',
        },
        () => yaml,
      ),
    new SpecError('--rascal-config: read /none: EACCES; give the path of a file that this user may read'),
  );
});
