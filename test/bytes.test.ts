import t from 'tap';
import { bytesOf, fsPath, shown, textOf } from '../src/bytes.js';

t.test('bytes and the string that stands for them become each other', async (t) => {
  const cases: readonly (readonly [string, readonly number[], string])[] = [
    ['nothing', [], ''],
    ['ASCII', [0x61, 0x00, 0x7f], 'a\0\x7f'],
    ['UTF-8', [0xc3, 0xa4, 0xe6, 0xbc, 0xa2, 0xf0, 0x9f, 0x9a, 0x80], 'ä漢🚀'],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
    ['the replacement character itself', [0xef, 0xbf, 0xbd], '\ufffd'],
    ['that and a byte which is no UTF-8', [0xef, 0xbf, 0xbd, 0xff], '\ufffd\udcff'],
    ['Latin-1', [0x61, 0xe9, 0x62], 'a\udce9b'],
    ['half a character', [0xc3], '\udcc3'],
    ['a character cut in its middle', [0xf0, 0x9f, 0x9a, 0x61], '\udcf0\udc9f\udc9aa'],
    ['more bytes than a character needs', [0xc0, 0x80], '\udcc0\udc80'],
    ['half a pair as bytes', [0xed, 0xb2, 0x80], '\udced\udcb2\udc80'],
  ];
  for (const [name, bytes, text] of cases) {
    t.equal(textOf(Uint8Array.from(bytes)), text, name);
    t.strictSame([...bytesOf(text)], bytes, `${name}, back`);
  }
});

t.test('node:fs gets a string where one will do, else bytes', async (t) => {
  t.equal(fsPath('/tmp/ä'), '/tmp/ä');
  t.strictSame(fsPath('/tmp/\udce9'), Buffer.from([...Buffer.from('/tmp/'), 0xe9]));
});

t.test('people see such a byte by its number', async (t) => {
  t.equal(shown('ä🚀'), 'ä🚀');
  t.equal(shown('a\udce9\udc80b'), 'a\\xe9\\x80b');
  t.equal(shown('a\ud800b'), 'a\ufffdb', 'another half of a pair is no byte');
});
