import t from 'tap';
import { KeyReader } from '../../../src/observe/terminal/keys.js';

const names = (...parts: (string | Buffer)[]) => {
  const reader = new KeyReader();
  return parts
    .flatMap((part) => reader.read(Buffer.from(part as string)))
    .map(({ name, text }) => (name === 'char' ? text : name));
};

t.test('cursor keys of different terminals', async (t) => {
  t.strictSame(names('\x1b[A\x1bOB\x1b[5~\x1b[6~'), ['up', 'down', 'pageup', 'pagedown']);
  t.strictSame(names('\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~'), ['home', 'end', 'home', 'end', 'home', 'end']);
  t.strictSame(names('\x1b[1;5A'), ['up'], 'with Control');
  t.strictSame(names('\x1b[15~'), ['unknown'], 'F5');
});

t.test('a sequence may come in parts, and a character in bytes', async (t) => {
  t.strictSame(names('\x1b', '[', 'A'), ['up']);
  t.strictSame(names('\x1b[1;', '5B', 'x'), ['down', 'x']);
  const [first, second] = [...Buffer.from('\u00fc')].map((byte) => Buffer.from([byte]));
  t.strictSame(names(first!, second!), ['\u00fc']);
});

t.test('escape alone shows only when nothing follows', async (t) => {
  const reader = new KeyReader();
  t.strictSame(reader.read(Buffer.from('\x1b')), []);
  t.ok(reader.waits);
  t.strictSame(reader.flush(), [{ name: 'escape', text: '' }]);
  t.notOk(reader.waits);
  t.strictSame(reader.flush(), []);
  t.strictSame(names('\x1bq'), ['escape', 'q'], 'Alt-q');
});

t.test('control characters', async (t) => {
  t.strictSame(names('\x03\x1a\x0c\r\x7f\t\x15'), [
    'interrupt',
    'suspend',
    'redraw',
    'enter',
    'backspace',
    'tab',
    'clear',
  ]);
  t.strictSame(names('\x00\x1f\u200b'), ['unknown', 'unknown', 'unknown']);
});

t.test('a stream of digits does not make it wait for ever', async (t) => {
  const keys = names(`\x1b[${'1'.repeat(500)}`);
  t.ok(keys.length > 0);
});

t.test('any bytes give keys and no error', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256));
  const reader = new KeyReader();
  t.ok([...reader.read(bytes), ...reader.flush()].length > 0);
});
