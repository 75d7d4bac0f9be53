import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { run, temporaryFolder } from '../fixtures/run.js';

/** What the kernel does not know (ENOEXEC): text is the shell's, anything else is refused before a line of it is carried out. */

const OWNED = '\necho owned\nexit 0\n';

/** Runs a file of these bytes. */
async function execute(t: Test, bytes: string, interpreter?: string) {
  const file = join(temporaryFolder(t), 'job');
  writeFileSync(file, Buffer.from(interpreter === undefined ? bytes : `#!${file}.interpreter\n${bytes}`, 'latin1'));
  chmodSync(file, 0o755);
  if (interpreter !== undefined) {
    writeFileSync(`${file}.interpreter`, Buffer.from(interpreter, 'latin1'));
    chmodSync(`${file}.interpreter`, 0o755);
  }
  return run(t, [file, 'x']);
}

/** ELF, 64 bit, little endian; the machine is AArch64, or x86-64 where this is that one. */
const OTHER_MACHINE = `\x7fELF\x02\x01\x01${'\0'.repeat(9)}\x02\0${process.arch === 'arm64' ? '\x3e' : '\xb7'}\0`;

for (const [what, bytes] of [
  ['a program for another machine', OTHER_MACHINE + OWNED],
  ['a program that was cut off', `\x7fELF${OWNED}`],
  ['a program of Windows', `MZ\x90\0\x03${OWNED}`],
  ['a program of macOS', `\xcf\xfa\xed\xfe\x07\0\0\x01${OWNED}`],
  ['WebAssembly', `\0asm\x01\0\0\0${OWNED}`],
  ['a compressed file', `\x1f\x8b\x08${OWNED}`],
  ['text in UTF-16', `\xff\xfee\0c\0h\0o\0\n\0${OWNED}`],
] as const) {
  t.test(`${what} is 126, and no line of it is carried out`, async (t) => {
    const result = await execute(t, bytes);
    t.strictSame([result.code, result.stdout], [126, '']);
    t.match(
      result.stderr,
      /run .*job: ENOEXEC; it, or the interpreter .* is neither a program for this machine nor a script/,
    );
  });
}

t.test('a script whose interpreter is for another machine is not handed to the shell', async (t) => {
  const result = await execute(t, 'echo owned\n', OTHER_MACHINE);
  t.strictSame([result.code, result.stdout], [126, '']);
});

for (const [what, bytes, expected] of [
  ['a script without an interpreter', 'echo "$1"; exit 3\n', [3, 'x\n']],
  ['a script with bytes beyond its first line', 'echo "$1"; exit 4\n\0\x01\x02', [4, 'x\n']],
  ['a script in UTF-8 or Latin-1', '# \xe9\xc3\xa9\necho "$1"\n', [0, 'x\n']],
  ['a script that begins with an empty interpreter', '#! \necho "$1"\n', [0, 'x\n']],
  ['an empty file', '', [0, '']],
] as const) {
  t.test(`${what} is the shell's`, async (t) => {
    const { code, stdout } = await execute(t, bytes);
    t.strictSame([code, stdout], expected);
  });
}
