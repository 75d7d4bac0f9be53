import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { BROKEN_MAX, examine, type Found, linesOf, messagesOf, openSpooled, statOf } from '../../src/spool/file.js';
import { type Folder, openFolder } from '../../src/spool/folder.js';
import { encode } from '../../src/spool/record.js';
import { jobIdentity } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const uid = process.geteuid!();
const identity = jobIdentity();
const head = (from: number, first = from) => encode({ spool: 1, identity, from, first });
const message = (n: number) => encode({ n, exchange: 'x', routingKey: 'k', options: {}, body: `${n}` });
const mark = (through: number) => encode({ through });

async function folderOf(t: Test): Promise<Folder> {
  const folder = (await openFolder(temporaryFolder(t), uid, true))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  return folder;
}

async function fileOf(t: Test, text: string) {
  const folder = await folderOf(t);
  writeFileSync(folder.at('b.spool'), text, { mode: 0o600 });
  const found = (await openSpooled(folder, 'b.spool')) as Extract<Found, { kind: 'locked' }>;
  t.equal(found.kind, 'locked');
  t.teardown(() => found.file[Symbol.asyncDispose]());
  return found.file;
}

t.test('a file is locked by whoever opens it', async (t) => {
  const folder = await folderOf(t);
  writeFileSync(folder.at('b.spool'), 'x', { mode: 0o600 });
  const first = await openSpooled(folder, 'b.spool');
  t.match(first, { kind: 'locked', file: { name: 'b.spool', bytes: 1 } });
  t.strictSame(await openSpooled(folder, 'b.spool'), { kind: 'in use' });
  if (first.kind === 'locked') await first.file[Symbol.asyncDispose]();
  const again = await openSpooled(folder, 'b.spool');
  t.equal(again.kind, 'locked', 'free again when it is closed');
  if (again.kind === 'locked') await again.file[Symbol.asyncDispose]();
});

t.test('what is no file of a box is not touched, and said why', async (t) => {
  const folder = await folderOf(t);
  const foreign = async (name: string, why: string) =>
    t.strictSame(await openSpooled(folder, name), { kind: 'foreign', why }, name);
  const file = (name: string, mode = 0o600) => {
    writeFileSync(folder.at(name), '');
    chmodSync(folder.at(name), mode);
  };
  t.strictSame(await openSpooled(folder, 'none'), { kind: 'gone' });
  t.equal(await statOf(folder, 'none'), undefined);
  mkdirSync(folder.at('directory'));
  symlinkSync('target', folder.at('link'));
  t.equal(spawnSync('mkfifo', [`${folder.path}/fifo`]).status, 0);
  for (const name of ['directory', 'link', 'fifo']) await foreign(name, 'it is not a regular file');
  file('readable', 0o640);
  await foreign('readable', 'others may read or write it (mode 0640)');
  file('one');
  linkSync(folder.at('one'), folder.at('two'));
  await foreign('two', 'it has a second name (hard link)');
  await t.rejects(openSpooled(folder, 'x'.repeat(300)), { code: 'ENAMETOOLONG' });
  await t.rejects(statOf(folder, 'x'.repeat(300)), { code: 'ENAMETOOLONG' });
  if (uid !== 0) return;
  file('given');
  chownSync(folder.at('given'), 54_321, 54_321);
  await foreign('given', 'it belongs to uid 54321');
});

t.test('one that was removed or replaced before it was locked is gone', async (t) => {
  const folder = await folderOf(t);
  const hooked = (name: string, hook: () => void): Folder => ({
    ...folder,
    // Once it is open, and before its lock: the owner is asked for in between.
    get uid() {
      hook();
      return uid;
    },
    at: () => folder.at(name),
  });
  writeFileSync(folder.at('a'), '', { mode: 0o600 });
  t.strictSame(
    await openSpooled(
      hooked('a', () => unlinkSync(folder.at('a'))),
      'a',
    ),
    { kind: 'gone' },
    'removed',
  );
  writeFileSync(folder.at('a'), '', { mode: 0o600 });
  writeFileSync(folder.at('b'), '', { mode: 0o600 });
  const swap = () => renameSync(folder.at('b'), folder.at('a'));
  t.strictSame(await openSpooled(hooked('a', swap), 'a'), { kind: 'gone' }, 'replaced');
});

t.test('a first pass counts what is left to deliver, what there was no room for and what is damaged', async (t) => {
  const cases: Record<string, [string, object]> = {
    'an empty file': ['', { head: undefined, messages: 0, through: 0, last: 0, broken: 0, noRoom: 0 }],
    'a head alone': [head(1), { messages: 0, last: 0, noRoom: 0 }],
    'a head that stands for lost ones': [head(3, 10), { messages: 0, noRoom: 7 }],
    'lost ones that were confirmed in part': [head(3, 10) + mark(5), { through: 5, noRoom: 4 }],
    'lost ones that were all confirmed': [head(3, 10) + mark(50), { through: 50, noRoom: 0 }],
    messages: [head(1) + message(1) + message(2) + message(3), { messages: 3, last: 3, through: 0 }],
    'a mark': [head(1) + message(1) + message(2) + mark(1) + message(3), { messages: 2, last: 3, through: 1 }],
    'the highest mark counts': [mark(4) + mark(2), { through: 4 }],
    'damaged lines': [`${head(1)}x\n${message(1)}y\n\n`, { messages: 1, broken: 3 }],
    'a torn last line': [head(1) + message(1) + message(2).slice(0, 30), { messages: 1, last: 1, broken: 1 }],
    'no head': [message(4), { head: undefined, messages: 1, last: 4, noRoom: 0 }],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    t.match(await examine(await fileOf(t, text)), expected, name);
  }
  t.match(await examine(await fileOf(t, head(2))), { head: { spool: 1, identity, from: 2, first: 2 } });
});

t.test('with too many damaged lines the rest of a file is not read', async (t) => {
  const contents = await examine(await fileOf(t, '\n'.repeat(BROKEN_MAX + 50) + message(1)));
  t.match(contents, { broken: BROKEN_MAX + 1, messages: 0 });
});

t.test('only messages above a number are read, and none that came later', async (t) => {
  const file = await fileOf(t, head(1) + message(1) + message(2) + mark(1) + message(3));
  await file.handle.write(message(4));
  const numbers: number[] = [];
  for await (const { n } of messagesOf(file, 1)) numbers.push(n);
  t.strictSame(numbers, [2, 3]);
});

t.test('lines are cut wherever they lie in the chunks that are read', async (t) => {
  const dir = temporaryFolder(t);
  const lines = ['', 'short', 'x'.repeat(64 * 1024 - 8), 'ä'.repeat(50_000), '', 'end'];
  writeFileSync(`${dir}/f`, `${lines.join('\n')}\ntorn`);
  const handle = await open(`${dir}/f`);
  t.teardown(() => handle.close());
  const read = async (from?: number, to?: number) => {
    const found: (string | undefined)[] = [];
    let end = 0;
    for await (const line of linesOf(handle, from, to)) {
      found.push(line.text);
      end = line.end;
    }
    return { found, end };
  };
  const { size } = await handle.stat();
  t.strictSame(await read(), { found: [...lines, undefined], end: size }, 'the torn one has no text');
  t.strictSame(await read(size - 8), { found: ['end', undefined], end: size });
  t.strictSame(await read(1, 7), { found: ['short'], end: 7 });
  t.strictSame(await read(1, 4), { found: [undefined], end: 4 });
  t.strictSame(await read(size), { found: [], end: 0 });
});

t.test('a line that no box writes is not kept in memory', async (t) => {
  const dir = temporaryFolder(t);
  writeFileSync(`${dir}/f`, Buffer.alloc(16 * 1024 * 1024 + 100_000, 'x'));
  writeFileSync(`${dir}/f`, '\nnext\n', { flag: 'a' });
  const handle = await open(`${dir}/f`);
  t.teardown(() => handle.close());
  const texts: (string | undefined)[] = [];
  for await (const { text } of linesOf(handle)) texts.push(text);
  t.strictSame(texts, [undefined, 'next']);
});
