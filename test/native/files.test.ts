import { execFileSync } from 'node:child_process';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { access, makeDirectory, readFile, readText, removeDirectory, writeText } from 'cgroup-utils-native';
import t from 'tap';

t.test('a file with its mode and owner, as bytes', async (t) => {
  const path = join(t.testdir({ file: '' }), 'file');
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));
  writeFileSync(path, bytes);
  chmodSync(path, 0o640);
  const { uid } = statSync(path);
  t.strictSame(readFile(path, 100_000), { bytes, mode: 0o640, uid });
  t.equal(readFile(path, 99_999), 'EFBIG');
  writeFileSync(path, '');
  t.match(readFile(path, 10), { bytes: Buffer.alloc(0) });
});

t.test('a pipe is read up to its end', async (t) => {
  const native = JSON.stringify(new URL('../../native/index.js', import.meta.url).pathname);
  const script = `console.log(require(${native}).readFile('/dev/fd/3', 100_000).bytes.length)`;
  const words = ['-c', 'exec 3< <(head -c 70000 /dev/zero); exec "$0" -e "$1"', process.execPath, script];
  t.equal(execFileSync('bash', words, { encoding: 'utf8' }), '70000\n');
});

t.test("what cannot be done is told by the errno's name", async (t) => {
  const dir = t.testdir({ file: 'text' });
  t.equal(readFile(join(dir, 'none'), 10), 'ENOENT');
  t.equal(readFile(dir, 10), 'EISDIR');
  t.equal(readText(join(dir, 'none')), null);
  t.equal(readText(join(dir, 'file')), 'text');
  t.equal(writeText(join(dir, 'none'), 'x'), 'ENOENT');
  t.equal(access(join(dir, 'file')), null);
  t.equal(access(join(dir, 'file'), true), null);
  t.equal(access(join(dir, 'none')), 'ENOENT');
  t.equal(makeDirectory(join(dir, 'made')), null);
  t.equal(makeDirectory(join(dir, 'made')), 'EEXIST');
  t.equal(removeDirectory(dir), 'ENOTEMPTY');
  t.equal(removeDirectory(join(dir, 'made')), null);
  t.equal(removeDirectory(join(dir, 'made')), 'ENOENT');
});
