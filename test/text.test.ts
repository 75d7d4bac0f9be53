import fc from 'fast-check';
import t from 'tap';
import { printable, printableJson, redactUri } from '../src/text.js';

t.test('what a terminal obeys or hides is escaped', async (t) => {
  const cases: [string, string, string][] = [
    ['newline, return and tab', 'a\nb\rc\td', 'a\\nb\\rc\\td'],
    ['escape sequences', '\x1b[2J\x1b]0;title\x07', '\\u001b[2J\\u001b]0;title\\u0007'],
    ['C1, which some terminals obey as ESC [', '\u009b31m\u0085', '\\u009b31m\\u0085'],
    ['backspace and delete', 'ab\b\bxy\x7f', 'ab\\u0008\\u0008xy\\u007f'],
    [
      'bidi overrides and isolates',
      '\u202eevil\u202c\u2066x\u2069\u200f\u061c',
      '\\u202eevil\\u202c\\u2066x\\u2069\\u200f\\u061c',
    ],
    [
      'zero width, joiners, soft hyphen, filler',
      'a\u200bb\u200d\ufeff\u00ad\u3164',
      'a\\u200bb\\u200d\\ufeff\\u00ad\\u3164',
    ],
    ['separators of lines and paragraphs', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['tags, as the two units that JSON has for them', 'a\u{e0041}b', 'a\\udb40\\udc41b'],
    ['half a pair', 'a\ud800b', 'a\\ud800b'],
    ['private use, which fonts of terminals fill', '\ue0b0', '\\ue0b0'],
    ['letters of any language', 'Grüße, 漢字, עברית, emoji 🚀', 'Grüße, 漢字, עברית, emoji 🚀'],
  ];
  for (const [name, text, expected] of cases) t.equal(printable(text), expected, name);
  t.equal(printable(Buffer.from([0x61, 0xff, 0xfe]).toString()), 'a\ufffd\ufffd', 'bytes that are no UTF-8');
});

t.test('JSON stays JSON with the same value, on one line', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = printableJson(value, indent);
      t.notMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      return JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
    }),
  );
  t.equal(printableJson({ a: '\u009b\u202e\x7f' }), '{"a":"\\u009b\\u202e\\u007f"}');
});

t.test('nothing printable is touched, and nothing is escaped twice', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = printable(text);
      return printable(once) === once && !/[\p{Cc}\p{Cf}]/u.test(once);
    }),
  );
  t.pass();
});

t.test('passwords in URIs are masked, whatever characters they have', async (t) => {
  for (const secret of ['plain', 'p@ss', 'a:b', 'a/b', '50%', 'two words', 'x,y', 'q"uo\'te', 'ü', '#', '?x=', ']']) {
    for (const text of [
      `amqp://alice:${secret}@host/v`,
      `run amqps://alice:${secret}@h1:5671,h2/v: not found`,
      `--uri=amqp://alice:${secret}@h1,amqp://bob:${secret}@h2`,
      `"AMQP://alice:${secret}@host" and https://bob:${secret}@web/x`,
    ]) {
      const masked = redactUri(text);
      t.notOk(masked.includes(secret), `${masked} has no ${secret}`);
      t.ok(masked.includes('***'), masked);
    }
  }
  t.equal(redactUri('broker h:5672/v: user@example.org'), 'broker h:5672/v: user@example.org');
});
