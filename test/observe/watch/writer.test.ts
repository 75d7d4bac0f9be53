import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LineWriter, type WriteEnd } from '../../../src/observe/watch/writer.js';

t.test('writes in order, tells what is written, and flushes', async (t) => {
  const path = join(t.testdir({}), 'out');
  const fd = openSync(path, 'w');
  const told: number[] = [];
  const writer = new LineWriter(fd, () => t.fail('it has not ended'));
  for (let index = 0; index < 100; index++) writer.write(`${index}\n`, () => told.push(index));
  await writer.flush();
  closeSync(fd);
  t.equal(readFileSync(path, 'utf8'), Array.from({ length: 100 }, (_, index) => `${index}\n`).join(''));
  t.strictSame(
    told,
    Array.from({ length: 100 }, (_, index) => index),
  );
  await writer.flush();
});

t.test('a reader that has gone is an end, and so is a full disk', async (t) => {
  const fifo = join(t.testdir({}), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(fifo, 'w');
  closeSync(reader);
  t.equal(await new Promise<WriteEnd>((resolve) => new LineWriter(fd, resolve).write('x\n')), 'reader has gone');
  closeSync(fd);
  const full = openSync('/dev/full', 'w');
  t.strictSame(await new Promise((resolve) => new LineWriter(full, resolve).write('x\n')), { failed: 'ENOSPC' });
  closeSync(full);
});

t.test('a pipe that is full and not blocking gets everything in the end', async (t) => {
  const fifo = join(t.testdir({}), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const size = 300_000;
  let done = false;
  new LineWriter(fd, () => t.fail('it has not ended')).write('x'.repeat(size), () => {
    done = true;
  });
  let read = 0;
  const buffer = Buffer.alloc(65_536);
  while (!done) {
    try {
      read += readSync(reader, buffer);
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let more = -1; more !== 0 && read < size; read += more) more = readSync(reader, buffer);
  t.equal(read, size);
  closeSync(reader);
  closeSync(fd);
});
