import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openSpooled } from '../../src/spool/file.js';
import { openFolder } from '../../src/spool/folder.js';
import { encode, type HeadRecord, type MessageRecord } from '../../src/spool/record.js';
import { Segment } from '../../src/spool/segment.js';
import { jobIdentity } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const NAME = 'box1.000001.spool';
const head: HeadRecord = { spool: 1, identity: jobIdentity(), from: 3, first: 3 };
const message = (n: number): MessageRecord => ({ n, exchange: 'x', routingKey: 'k', options: {}, body: `body ${n}` });
const texts = (...numbers: number[]) => numbers.map((n) => encode(message(n))).join('');

async function folderOf(t: Test) {
  const folder = (await openFolder(temporaryFolder(t), process.geteuid!(), true))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  return { folder, read: () => readFileSync(folder.at(NAME), 'utf8') };
}

async function segmentOf(t: Test, more: Partial<HeadRecord> = {}) {
  const { folder, read } = await folderOf(t);
  const segment = await Segment.create(folder, NAME, { ...head, ...more });
  t.teardown(() => segment[Symbol.asyncDispose]().catch(() => {}));
  return { folder, read, segment };
}

async function numbersOf(messages: AsyncIterable<MessageRecord>) {
  const numbers: number[] = [];
  for await (const { n } of messages) numbers.push(n);
  return numbers;
}

t.test('a segment appears whole, locked and for its user alone', async (t) => {
  const { folder, read, segment } = await segmentOf(t);
  t.equal(read(), encode(head));
  t.equal(statSync(folder.at(NAME)).mode & 0o7777, 0o600);
  t.notOk(existsSync(folder.at(`${NAME}.tmp`)));
  t.strictSame(await openSpooled(folder, NAME), { kind: 'in use' });
  t.match(segment, { name: NAME, head, bytes: encode(head).length, isEmpty: true, standsForLost: false });
  t.match(segment, { last: 2, unread: 0 }, 'of no message, the number before the first');
});

t.test('a head tells of messages that were given up', async (t) => {
  const { segment } = await segmentOf(t, { from: 1, first: 5 });
  t.equal(segment.standsForLost, true);
  t.equal(segment.last, 4);
});

t.test('it takes the place of a file of its name', async (t) => {
  const { folder, read } = await folderOf(t);
  writeFileSync(folder.at(NAME), 'older');
  writeFileSync(folder.at(`${NAME}.tmp`), 'unfinished');
  await using _segment = await Segment.create(folder, NAME, head);
  t.equal(read(), encode(head));
});

t.test('where it cannot be made nothing has changed', async (t) => {
  const { folder } = await folderOf(t);
  mkdirSync(folder.at(NAME));
  await t.rejects(Segment.create(folder, NAME, head), { code: 'EISDIR' });
  t.notOk(existsSync(folder.at(`${NAME}.tmp`)), 'the unfinished file is taken away');
  mkdirSync(folder.at('other.tmp'));
  await t.rejects(Segment.create(folder, 'other', head), { code: /EISDIR|EPERM/ });
});

t.test('each message is read back once, above a number', async (t) => {
  const { segment } = await segmentOf(t);
  await segment.write(texts(3, 4, 5));
  segment.unread = 2;
  t.equal(segment.isEmpty, false);
  let inMemory = 3;
  const reading = segment.read(() => inMemory);
  t.match(await reading.next(), { value: { n: 4, body: 'body 4' } });
  await reading.return(undefined);
  t.equal(segment.unread, 1);
  await segment.write(`damaged\n${encode({ through: 4 })}${texts(6)}`);
  segment.unread++;
  inMemory = 4;
  t.strictSame(await numbersOf(segment.read(() => inMemory)), [5, 6], 'goes on where it was, over what is no message');
  t.equal(segment.unread, 0);
  t.strictSame(await numbersOf(segment.read(() => 0)), []);
});

t.test('what was written is cleared down to the head, and can be written anew', async (t) => {
  const { read, segment } = await segmentOf(t);
  await segment.write(texts(3, 4));
  t.equal(segment.bytes, read().length);
  await segment.clear();
  t.equal(read(), encode(head));
  t.equal(segment.isEmpty, true);
  await segment.write(texts(5));
  t.equal(read(), encode(head) + texts(5));
  t.strictSame(await numbersOf(segment.read(() => 0)), [5]);
});

t.test('its end leaves the file to others, or removes it', async (t) => {
  const left = await segmentOf(t);
  await left.segment.leave();
  const found = await openSpooled(left.folder, NAME);
  t.equal(found.kind, 'locked');
  if (found.kind === 'locked') await found.file[Symbol.asyncDispose]();
  const removed = await segmentOf(t);
  await removed.segment.remove();
  t.notOk(existsSync(removed.folder.at(NAME)));
  await t.rejects(removed.segment.write('x'), 'nothing is written after its end');
});
