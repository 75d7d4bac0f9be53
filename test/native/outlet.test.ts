import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Outlet } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

t.test('what nobody reads holds up nobody; the reader that comes back learns how much is lost', async (t) => {
  const { writer, reader, bytes } = pipe(t);
  reader.pause();
  const outlet = new Outlet(writer);
  const line = (number: number) => `${String(number).padStart(6, '0')} ${'x'.repeat(92)}\n`;
  const began = performance.now();
  for (let number = 0; number < 10_000; number++) outlet.write(line(number));
  t.ok(performance.now() - began < 1000, 'a million bytes into a pipe that takes 65,536');
  reader.resume();
  outlet.close();
  const lines = (await bytes).toString().split('\n').filter(Boolean);
  const notices = lines.filter((text) => text.startsWith('proc_box: '));
  const lost = notices.map((text) => Number(/^proc_box: warn: (\d+) lines of this log are lost: /.exec(text)?.[1]));
  const kept = lines.filter((text) => !text.startsWith('proc_box: '));
  t.equal(kept.length + lost.reduce((sum, count) => sum + count, 0), 10_000, 'every line is there or counted');
  t.ok(kept.length > 3000 && kept.length < 9000, `${kept.length} lines: what pipe and queue hold`);
  t.strictSame(kept, [...kept].sort(), 'in order');
  t.ok(
    kept.every((text) => `${text}\n` === line(Number(text.slice(0, 6)))),
    'whole',
  );
});

t.test('a loss is told where it was, before what was written after it', async (t) => {
  const { writer, reader, bytes } = pipe(t);
  reader.pause();
  const outlet = new Outlet(writer);
  const block = `${'x'.repeat(65_535)}\n`;
  for (let count = 0; count < 8; count++) outlet.write(block);
  let text = '';
  reader.on('data', (chunk: Buffer) => (text += chunk.toString()));
  reader.resume();
  await until(() => /(?:is|are) lost/.test(text), 'the loss is told although nothing follows');
  outlet.write('after\n');
  outlet.close();
  const all = (await bytes).toString();
  t.match(all, /x\nproc_box: warn: \d lines? of this log (?:is|are) lost: [^\n]*\nafter\n$/);
  // The thread may write between two lines that are lost: then each is told where it was.
  const told = [...all.matchAll(/^proc_box: warn: (\d) lines? of this log/gm)].map(([, count]) => Number(count));
  const lost = told.reduce((sum, count) => sum + count, 0);
  // Two where the thread had begun to write by then, four where it had not.
  t.ok(lost >= 2 && lost <= 4, `${lost}`);
  t.equal(all.split(block).length - 1 + lost, 8, 'every line is there or counted');
});

t.test('the descriptor is closed after the last line, and not before', async (t) => {
  const { writer, reader, bytes } = pipe(t);
  reader.pause();
  const outlet = new Outlet(writer);
  outlet.write('x'.repeat(100_000));
  outlet.write('last\n');
  outlet.close();
  t.ok(fstatSync(writer).isFIFO(), 'there is something to write still');
  outlet.write('too late\n');
  reader.resume();
  t.match((await bytes).toString(), /^x{100000}last\n$/);
  await until(() => !isOpen(writer), 'it is closed');
});

t.test('a reader that has gone and a disk that is full cost the lines, and nothing else', async (t) => {
  const { writer, reader, bytes } = pipe(t);
  reader.destroy();
  const gone = new Outlet(writer);
  for (let count = 0; count < 100; count++) gone.write('nobody reads this\n');
  gone.close();
  await bytes;
  await until(() => !isOpen(writer), 'it is closed');
  const full = openSync('/dev/full', 'w');
  const outlet = new Outlet(full);
  for (let count = 0; count < 100; count++) outlet.write('no room for this\n');
  outlet.close();
  await until(() => !isOpen(full), 'it ends');
});

t.test('a descriptor that is non-blocking loses nothing', async (t) => {
  const { writer, input } = ends(t, constants.O_NONBLOCK);
  const outlet = new Outlet(writer);
  outlet.write('x'.repeat(200_000));
  outlet.close();
  const buffer = Buffer.alloc(65_536);
  let size = 0;
  await until(() => {
    try {
      const count = readSync(input, buffer);
      size += count;
      return count === 0 && size > 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return false;
    }
  }, 'everything is there');
  closeSync(input);
  t.equal(size, 200_000);
});

t.test('the end of Node waits for what is left', async (t) => {
  const native = JSON.stringify(new URL('../../native/index.js', import.meta.url).pathname);
  for (const end of ['', 'process.exit(0)', 'require(native).exitNow(0)']) {
    const script = `const native = ${native};
      for (let line = 0; line < 2000; line++) require(native).writeStderr(line + '${'x'.repeat(90)}\\n'); ${end}`;
    const count = execFileSync('sh', ['-c', '"$0" -e "$1" 2>&1 | { sleep 0.1; wc -l; }', process.execPath, script]);
    t.equal(Number(count.toString()), 2000, end);
  }
});

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false; // EBADF
  }
}

/** Both ends of a pipe; whoever gets the writer's closes it. */
function ends(t: Test, flags = 0): { writer: number; input: number } {
  const path = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const input = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { writer: openSync(path, constants.O_WRONLY | flags), input };
}

function pipe(t: Test): { writer: number; reader: Socket; bytes: Promise<Buffer> } {
  const { writer, input } = ends(t);
  const reader = new Socket({ fd: input, readable: true, writable: false });
  const chunks: Buffer[] = [];
  reader.on('data', (chunk: Buffer) => chunks.push(chunk));
  const bytes = new Promise<Buffer>((resolve) => reader.on('close', () => resolve(Buffer.concat(chunks))));
  t.teardown(() => reader.destroy());
  return { writer, reader, bytes };
}
