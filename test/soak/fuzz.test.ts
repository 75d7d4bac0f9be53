// test-timeout: 1200s
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import * as yaml from 'yaml';
import { toCommand } from '../../src/amqp/command.js';
import { parseLenient, repeatedKey } from '../../src/amqp/lenient-json.js';
import { type Delivery, parseMessage } from '../../src/amqp/message.js';
import { assembleSpec } from '../../src/options/assemble.js';
import { readConfig, readFlat } from '../../src/options/config-file.js';
import { examine, openFolder, openSpooled } from '../../src/spool/index.js';
import { decode, encode } from '../../src/spool/record.js';
import { unsendable } from '../../src/spool/sendable.js';
import { fakeBox } from '../fixtures/broker.js';
import { makeOwn, testSpool } from '../fixtures/spool.js';
import { LONG, report } from './soak.js';

/** Whatever is written where words, YAML, commands or spool records are read: a value, or an error that is meant for people. */

const RUNS = LONG ? 100_000 : 500;
const EXPECTED = ['SpecError', 'EnvironmentError'];

function check<T>(t: Test, name: string, arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, property), { numRuns: RUNS });
  t.pass(`${RUNS} inputs`);
  report(`fuzz ${name}: ${RUNS} inputs`);
}

/** @throws what nobody has foreseen, with one that may be shown as it is */
function foreseen(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    const { name, message } = error as Error;
    if (!EXPECTED.includes(name)) throw error;
    if (/\p{Cc}/u.test(message)) throw new Error(`its message has control characters: ${JSON.stringify(message)}`);
  }
}

const bytes = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    '',
    '-',
    '--',
    '=',
    '1e400',
    '0x10',
    '-1',
    'NaN',
    '9'.repeat(40),
    'unlimited',
    '1:2',
    '1h',
    '\0',
    '\ud800',
    '+3s',
    '{}',
  ),
);
const option = fc.constantFrom(
  ...[
    'timeout',
    'memory',
    'cpus',
    'cpuset',
    'rlimit',
    'uri',
    'json',
    'sint',
    'rkey',
    'io-max',
    'control-rules',
    'cgroup',
  ],
  ...[
    'stop-signal',
    'grace',
    'pids',
    'swap',
    'cpu-time',
    'outbox-bytes',
    'flush',
    'stdoutlimit',
    'enforce',
    'locked',
    'nosuch',
  ],
);
const word = fc.oneof(
  bytes,
  fc.tuple(fc.constantFrom('-', '--'), option, fc.constantFrom('=', ''), bytes).map((parts) => parts.join('')),
);

const noFiles = { uid: 1000, read: () => 'ENOENT' };

t.test('command lines and variables', async (t) => {
  const settings = fc.array(
    fc.tuple(option, bytes).map(([name, text]) => `PBOX_${name.toUpperCase().replace('-', '_')}=${text}`),
    { maxLength: 3 },
  );
  check(t, 'words', fc.tuple(fc.array(word, { maxLength: 6 }), settings), ([words, settings]) =>
    foreseen(() =>
      assembleSpec({
        words: ['--config=none', ...words],
        command: ['true'],
        settings,
        files: noFiles,
        deadline: { scheduler: 'none', remainingMs: null },
        loadYaml: () => yaml,
      }),
    ),
  );
});

t.test('config files', async (t) => {
  const line = fc.oneof(
    bytes,
    fc.tuple(option, fc.constantFrom(': ', ':', ' : ', ': |\n  '), bytes).map((parts) => parts.join('')),
    fc.constantFrom(
      'a: &x [*x]',
      '<<: *x',
      '? ',
      '- a',
      '!!binary x: y',
      '%YAML 9',
      'json: {a: 1e400, b: 0x1F}',
      '"rkey": "x"',
    ),
  );
  check(
    t,
    'YAML',
    fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n')),
    (text) => {
      foreseen(() => readConfig('f', text, () => yaml));
      // The short reader takes nothing that the whole one reads in another way.
      if (readFlat(text) !== undefined) foreseen(() => readConfig('f', `${text}\n`, () => yaml));
    },
  );
});

t.test('commands', async (t) => {
  const { identity } = fakeBox();
  const value = fc.oneof(bytes, fc.double(), fc.json({ maxDepth: 2 }));
  const key = fc.constantFrom('command', 'Command', 'comm\\u0061nd', 'arguments', 'target', '__proto__', 'x');
  const object = fc
    .array(
      fc.tuple(
        key,
        fc.oneof(
          value.map((one) => JSON.stringify(one) ?? 'null'),
          fc.constantFrom('"kill"', '["9"]', '{}'),
        ),
      ),
      { maxLength: 4 },
    )
    .map((pairs) => `{${pairs.map(([name, text]) => `"${name}":${text}`).join(',')}}`);
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    object.map((text) => Buffer.from(text)),
  );
  const properties = fc.record({
    headers: fc.anything(),
    expiration: fc.anything(),
    timestamp: fc.anything(),
    messageId: fc.anything(),
  }) as fc.Arbitrary<Delivery['properties']>;
  check(t, 'commands', fc.tuple(body, properties), ([content, properties]) => {
    const outcome = parseMessage({ content, properties }, identity, 0);
    if (outcome.kind === 'request') toCommand(outcome);
  });
  check(t, 'keys', fc.json({ maxDepth: 3 }), (text) => {
    parseLenient(text);
    repeatedKey(text);
  });
});

t.test('spool records', async (t) => {
  const anything = fc.oneof(fc.anything(), bytes, fc.double());
  const record = fc.record({
    n: fc.oneof(fc.nat(), anything),
    exchange: bytes,
    routingKey: bytes,
    body: bytes,
    options: fc.oneof(
      fc.dictionary(
        fc.constantFrom('priority', 'headers', 'timestamp', 'expiration', 'CC', 'userId', 'type'),
        anything,
      ),
      anything,
    ),
  });
  const head = fc.record({
    spool: fc.constantFrom(1, 2),
    identity: fc.oneof(fc.constant(fakeBox().identity), anything),
    from: fc.nat(),
    first: anything,
  });
  const line = fc.oneof(
    fc.oneof(record, head, fc.record({ through: anything })).map((value) => safeLine(value)),
    bytes,
  );
  check(t, 'records', line, (text) => {
    const found = decode(text);
    if (found === undefined || !('n' in found)) return;
    if (unsendable(found) === undefined && Buffer.byteLength(found.routingKey) > 255)
      throw new Error('a key that is too long');
  });
});

t.test('spool files of any bytes', async (t) => {
  const spool = testSpool(t);
  const uid = process.geteuid?.() ?? 0;
  const own = makeOwn(spool, uid);
  await using folder = (await openFolder(spool.dir, uid, false))!;
  const good = encode({ through: 3 });
  const piece = fc.oneof(bytes, fc.constantFrom(good, good.trimEnd(), '\n\n', '\0'));
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      writeFileSync(join(own, 'f.spool'), pieces.join(''), { mode: 0o600 });
      const found = await openSpooled(folder, 'f.spool');
      if (found.kind !== 'locked') throw new Error(found.kind);
      await using file = found.file;
      const { broken, messages } = await examine(file);
      if (broken < 0 || messages > pieces.length) throw new Error('counted wrongly');
    }),
    { numRuns: RUNS / 10 },
  );
  t.pass('all were read');
});

/** As a box writes it, of whatever JSON can hold. */
function safeLine(value: unknown): string {
  try {
    return encode(value as never).trimEnd();
  } catch {
    return ''; // a bigint, or a circle: nothing that a file can hold
  }
}
