import fc from 'fast-check';
import t, { type Test } from 'tap';
import { SpecError } from '../../src/errors.js';
import { parseInterval, parseSampleInterval } from '../../src/options/intervals.js';
import { parseByteLimit, parseTimeLimit } from '../../src/options/limit-values.js';
import { parseSwap } from '../../src/options/resources.js';
import { parseBoolean, parseCount, parseDuration, parseSize } from '../../src/options/units.js';
import { parseJsonObject, parseKey, parsePath } from '../../src/options/values.js';

/** Asserts the whole message of the SpecError. */
const refuses = (t: Test, parse: (text: string) => unknown, text: string, message: string) =>
  t.throws(() => parse(text), new SpecError(message), `${JSON.stringify(text.slice(0, 40))} is refused`);

t.test('durations are read as Go reads them', async (t) => {
  const cases: [string, number][] = [
    ['0', 0],
    ['+0', 0],
    ['-0', 0],
    ['0s', 0],
    ['-0s', 0],
    ['5s', 5000],
    ['+5s', 5000],
    ['1h30m', 5_400_000],
    ['100ms', 100],
    ['1.5h', 5_400_000],
    ['1.1s', 1100],
    ['.5s', 500],
    ['1.s', 1000],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['1500us', 1.5],
    ['1ns', 0.000001],
    ['1m1ms', 60_001],
    ['1h1m1s1ms1us1ns', 3_661_001.001001],
    ['8760h', 31_536_000_000],
    ['2562047h', 9_223_369_200_000],
  ];
  for (const [text, ms] of cases) t.equal(parseDuration(text), ms, text);
});

t.test('what is no duration is refused with an example', async (t) => {
  const other = (text: string) =>
    `${JSON.stringify(text)} is not a duration: expected numbers with units (ns, us, ms, s, m, h, d), for example "1h30m"`;
  for (const text of ['', 's', '.', '.s', '1x', '1 s', '1s ', '1e3s', '1mh', '--5s', '5S', '1,5s'])
    refuses(t, parseDuration, text, other(text));
  refuses(t, parseDuration, '5', '"5" has no unit: expected a duration, for example "5s"');
  refuses(t, parseDuration, '1.5', '"1.5" has no unit: expected a duration, for example "1.5s"');
  refuses(t, parseDuration, '-5s', '"-5s" is negative: expected a duration of 0 or more, for example "1h30m"');
  refuses(
    t,
    parseDuration,
    '2562048h',
    '"2562048h" is too long: expected at most 292 years, for example "8760h" for a year',
  );
  refuses(
    t,
    parseDuration,
    `${'9'.repeat(10_000)}s`,
    `"${'9'.repeat(60)}…" is not a duration: expected numbers with units (ns, us, ms, s, m, h, d), for example "1h30m"`,
  );
});

t.test('every sum of whole units is exact', async (t) => {
  const part = fc.nat(1000);
  fc.assert(
    fc.property(
      part,
      part,
      part,
      part,
      (h, m, s, ms) => parseDuration(`${h}h${m}m${s}s${ms}ms`) === ((h * 60 + m) * 60 + s) * 1000 + ms,
    ),
  );
  t.pass();
});

t.test('sizes are powers of 1024, whatever their spelling', async (t) => {
  const cases: [string, number][] = [
    ['0', 0],
    ['1', 1],
    ['1048576', 1_048_576],
    ['512M', 536_870_912],
    ['4G', 4_294_967_296],
    ['1.5GiB', 1_610_612_736],
    ['10kB', 10_240],
    ['10 kB', 10_240],
    ['1KB', 1024],
    ['1k', 1024],
    ['1KiB', 1024],
    ['7b', 7],
    ['1T', 2 ** 40],
    ['7P', 7 * 2 ** 50],
    ['1.1K', 1126],
    ['100GiB', 107_374_182_400],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ].map(([text, bytes]) => [String(text), Number(bytes)]);
  for (const [text, bytes] of cases) t.equal(parseSize(text), bytes, text);
});

t.test('what is no size is refused with an example', async (t) => {
  const other = (text: string) =>
    `${JSON.stringify(text)} is not a size: expected bytes or a number with K, M, G, T or P (powers of 1024), for example "512M"`;
  for (const text of ['', 'M', '-1', '1e3', '0x10', '1X', '5iB', '1.', '.5G', '1  K', 'unlimited', '1_000'])
    refuses(t, parseSize, text, other(text));
  refuses(t, parseSize, '1.5', '"1.5" is not a whole number of bytes: expected a size, for example "1.5K" or "1536"');
  refuses(t, parseSize, '8P', '"8P" is too large: expected less than 8192T, for example "512M"');
  refuses(
    t,
    parseSize,
    '9007199254740992',
    '"9007199254740992" is too large: expected less than 8192T, for example "512M"',
  );
  refuses(t, parseSize, '0.0001K', '"0.0001K" is less than a byte: expected a size, for example "512M"');
});

t.test('unlimited is a word of its own where the option says so', async (t) => {
  for (const text of ['unlimited', 'infinity', 'Unlimited']) {
    t.equal(parseSwap(text), 'unlimited');
    t.equal(parseTimeLimit(text), 0);
    t.equal(parseByteLimit(text), 0);
  }
  t.equal(parseSwap('1K'), 1024);
  t.equal(parseTimeLimit('8784h'), 31_622_400_000);
  t.equal(parseByteLimit('1K'), 1024);
});

t.test('counts keep to their range', async (t) => {
  t.equal(parseCount('0', 0, 9), 0);
  t.equal(parseCount('9', 0, 9), 9);
  for (const text of ['10', '-1', '', '1.5', ' 1', '1e1', '99999999999999999']) {
    refuses(
      t,
      (text) => parseCount(text, 0, 9),
      text,
      `${JSON.stringify(text)} is not a number from 0 to 9: for example "9"`,
    );
  }
});

t.test('booleans are the words of Go', async (t) => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) t.equal(parseBoolean(text), true);
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) t.equal(parseBoolean(text), false);
  refuses(
    t,
    parseBoolean,
    'yes',
    '"yes" is neither true nor false: expected 1, t, true, 0, f or false, for example "true"',
  );
});

t.test('a sample interval is 0 or at least 10ms', async (t) => {
  t.equal(parseSampleInterval('0'), 0);
  t.equal(parseSampleInterval('10ms'), 10);
  t.equal(parseInterval('1m'), 60_000);
  refuses(t, parseSampleInterval, '9.9ms', '"9.9ms" is too short: expected at least 10ms, for example "10s"');
  refuses(t, parseInterval, '0', '"0" is too short: expected at least 10ms, for example "10s"');
});

t.test('keys, paths and JSON objects are checked', async (t) => {
  t.equal(parseKey('a.b'), 'a.b');
  refuses(t, parseKey, '', '"" is not a name of 1 to 127 printable bytes: for example "proc_box.stats"');
  refuses(t, parseKey, 'a\nb', '"a\\nb" is not a name of 1 to 127 printable bytes: for example "proc_box.stats"');
  t.throws(() => parseKey('é'.repeat(64)), SpecError, 'bytes count, not characters');
  t.equal(parsePath('x'), 'x');
  refuses(t, parsePath, '', '"" is not a path: for example "/etc/proc_box/uri"');
  t.strictSame(parseJsonObject('{"a": [1]}'), { a: [1] });
  for (const text of ['[1]', 'null', '"x"', '5'])
    refuses(t, parseJsonObject, text, `${JSON.stringify(text)} is not a JSON object: for example '{"project": "x"}'`);
  t.throws(() => parseJsonObject('{"a": 1,}'), {
    message: /^"\{\\"a\\": 1,\}" is not JSON \(.+\): for example '\{"project": "x"\}'$/,
  });
});

t.test('no text makes a parser throw anything but SpecError', async (t) => {
  const parsers = [parseDuration, parseSize, parseSampleInterval, parseBoolean, parseJsonObject, parseKey];
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[-+.\d]{0,4}[kmgtpib smhuµn.]{0,4}$/));
  fc.assert(fc.property(text, (text) => parsers.every((parse) => survives(() => parse(text)))));
  t.pass();
});

function survives(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    return error instanceof SpecError && !error.message.includes('\n');
  }
}
