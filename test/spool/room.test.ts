import { lstatSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openSpooled } from '../../src/spool/file.js';
import { openFolder } from '../../src/spool/folder.js';
import { decode, encode } from '../../src/spool/record.js';
import { createFile, makeRoom, removeFile } from '../../src/spool/room.js';
import { jobIdentity, linesLogger } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const DAY_MS = 86_400_000;
const head = (from: number, first = from) => encode({ spool: 1, identity: jobIdentity(), from, first });
const message = (n: number, bytes = 10) =>
  encode({ n, exchange: 'x', routingKey: 'k', options: {}, body: 'x'.repeat(bytes) });

/** Files by name, each an hour older than the one after it. */
async function spool(t: Test, files: Record<string, string>) {
  const folder = (await openFolder(temporaryFolder(t), process.geteuid!(), true))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  const { log, lines } = linesLogger();
  const count = Object.keys(files).length;
  for (const [index, [name, text]] of Object.entries(files).entries()) {
    writeFileSync(folder.at(name), text, { mode: 0o600 });
    const seconds = Date.now() / 1000 - 3600 * (count - index);
    utimesSync(folder.at(name), seconds, seconds);
  }
  const all = async () => (await Promise.all(['.spool', '.bad', '.tmp'].map((suffix) => folder.names(suffix)))).flat();
  const room = (more: number, maxBytes: number, maxAgeMs = DAY_MS, box = 'mine') =>
    makeRoom(folder, { maxBytes, maxAgeMs }, more, box, log);
  const read = (name: string) => readFileSync(folder.at(name), 'utf8');
  return { folder, lines, all, room, read };
}

t.test('where there is room nothing goes', async (t) => {
  const text = head(1) + message(1);
  const { all, room, lines } = await spool(t, { 'a.1.spool': text, 'b.1.spool.bad': text, 'mine.1.spool': text });
  t.equal(await room(1000, 10_000), 10_000 - 2 * text.length, "the caller's own files do not count");
  t.strictSame(await all(), ['a.1.spool', 'mine.1.spool', 'b.1.spool.bad']);
  t.equal(await room(0, 100), 0, 'less than nothing is nothing');
  t.strictSame(lines, []);
});

t.test('the oldest goes first; its head says how many messages it stood for', async (t) => {
  const text = head(1) + message(1, 6000) + message(2) + message(3) + encode({ through: 1 });
  const { folder, room, read, lines } = await spool(t, { 'z.1.spool': text, 'a.1.spool': text });
  await room(text.length, 2 * text.length + 300);
  t.strictSame(decode(read('z.1.spool').trimEnd()), { spool: 1, identity: jobIdentity(), from: 2, first: 4 });
  t.equal(read('a.1.spool'), text, 'the younger one is left');
  t.strictSame(lines, [`proc_box: warn: spool: gave up 2 messages of ${folder.path}/z.1.spool: the spool is full`]);
});

t.test('what is too old goes, however much room there is', async (t) => {
  const text = head(1) + message(1);
  const { folder, all, room, read, lines } = await spool(t, {
    'old.1.spool': text,
    'head.1.spool': head(2, 9),
    'set.1.spool.bad': head(1, 4) + message(4),
    'un.1.spool.tmp': head(1),
    'torn.1.spool': message(5),
    'new.1.spool': text,
  });
  t.equal(await room(0, 1e6, 1.5 * 3_600_000), 1e6 - head(1, 2).length - text.length);
  t.strictSame(await all(), ['new.1.spool', 'old.1.spool']);
  t.match(decode(read('old.1.spool').trimEnd()), { from: 1, first: 2 });
  t.strictSame(
    lines,
    [
      `gave up 1 messages of ${folder.path}/old.1.spool`,
      `removed ${folder.path}/head.1.spool with 7 messages`,
      `removed ${folder.path}/set.1.spool.bad with 4 messages`,
      `removed ${folder.path}/torn.1.spool with 1 messages`,
    ].map((line) => `proc_box: warn: spool: ${line}: too old`),
    'an unfinished file held nothing',
  );
});

t.test('a file that no box writes goes as a whole', async (t) => {
  const { folder, all, room, lines } = await spool(t, { 'huge.1.spool': head(1) });
  const bytes = 33 * 1024 * 1024;
  truncateSync(folder.at('huge.1.spool'), bytes);
  t.equal(await room(1, 1000), 1000);
  t.strictSame(await all(), []);
  t.match(lines, [
    `removed ${folder.path}/huge.1.spool with ${bytes} bytes, which is not a file of a box: the spool is full`,
  ]);
});

t.test('a file of a box that lives, or of somebody else, stays and counts', async (t) => {
  const text = head(1) + message(1, 6000);
  const { folder, all, room, lines } = await spool(t, { 'live.1.spool': text });
  const held = await openSpooled(folder, 'live.1.spool');
  t.teardown(async () => held.kind === 'locked' && (await held.file[Symbol.asyncDispose]()));
  symlinkSync('elsewhere', folder.at('link.1.spool'));
  t.equal(await room(1, text.length + 100, 0), 100 - 'elsewhere'.length);
  t.strictSame(await all(), ['link.1.spool', 'live.1.spool']);
  t.strictSame(lines, []);
});

t.test('small files stay when the spool is full: a head is what is left of one', async (t) => {
  const { read, room } = await spool(t, { 'a.1.spool': head(1) + message(1) });
  t.equal(await room(1e6, 1000), 1000 - read('a.1.spool').length);
  t.match(read('a.1.spool'), /"n":1/);
});

t.test('a new file is for its user alone, and takes the place of an unfinished one', async (t) => {
  const { folder, read } = await spool(t, { 'x.tmp': 'unfinished' });
  await using handle = await createFile(folder, 'x.tmp');
  await handle.write('new');
  t.equal(read('x.tmp'), 'new');
  t.equal(lstatSync(folder.at('x.tmp')).mode & 0o7777, 0o600);
  await removeFile(folder, 'x.tmp');
  await removeFile(folder, 'x.tmp');
  t.strictSame(await folder.names('.tmp'), [], 'no matter if it is there');
  await t.rejects(removeFile(folder, 'x'.repeat(300)), { code: 'ENAMETOOLONG' });
});
