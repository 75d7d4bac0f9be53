import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { PublishResult } from '../../src/model/types.js';
import { deliverFile, type Part } from '../../src/spool/deliver-file.js';
import type { DeliveryOptions } from '../../src/spool/delivery.js';
import { BROKEN_MAX, type Found, openSpooled } from '../../src/spool/file.js';
import { openFolder } from '../../src/spool/folder.js';
import { encode, type MessageRecord } from '../../src/spool/record.js';
import type { PublishChannel } from '../../src/spool/sending.js';
import { jobIdentity } from '../fixtures/light.js';
import { temporaryFolder } from '../fixtures/run.js';

const NAME = 'box1.000001.spool';
const identity = jobIdentity({ box: 'box1' });
const nowSec = Math.floor(Date.now() / 1000);
const head = (from: number, first = from) => encode({ spool: 1, identity, from, first });
const message = (n: number, options: MessageRecord['options'] = {}, body = '{}') =>
  encode({
    n,
    exchange: 'x',
    routingKey: 'k',
    options: { messageId: `box1-${n}`, timestamp: nowSec, ...options },
    body,
  });
const mark = (through: number) => encode({ through });

/** A channel that keeps what it gets, and answers as it is told; `null` for no answer. */
function recordingChannel(answer: (n: number) => PublishResult | null = () => 'confirmed', endsAt = -1) {
  const sent: MessageRecord[] = [];
  let listener: (why: string | null) => void = () => {};
  let closed = 0;
  const channel: PublishChannel = {
    publish(record, done) {
      sent.push(record);
      if (record.n === endsAt) return listener('PRECONDITION_FAILED - no');
      const outcome = answer(record.n);
      if (outcome !== null) done(outcome);
    },
    onEnded(next) {
      listener = next;
    },
    close: () => closed++,
  };
  return { channel, sent, closed: () => closed };
}

async function deliver(t: Test, text: string, more: Partial<DeliveryOptions> = {}, channels = [recordingChannel()]) {
  const dir = temporaryFolder(t);
  const folder = (await openFolder(dir, process.geteuid!(), true))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  writeFileSync(folder.at(NAME), text, { mode: 0o600 });
  return await deliverOpened(t, folder, more, channels);
}

async function deliverOpened(
  t: Test,
  folder: NonNullable<Awaited<ReturnType<typeof openFolder>>>,
  more: Partial<DeliveryOptions>,
  channels: readonly ReturnType<typeof recordingChannel>[],
) {
  const found = (await openSpooled(folder, NAME)) as Extract<Found, { kind: 'locked' }>;
  t.teardown(() => found.file[Symbol.asyncDispose]());
  const warnings: string[] = [];
  let next = 0;
  const delivery: DeliveryOptions = {
    channel: async () => channels[next++]?.channel,
    eventsTo: ({ host }) => ({ exchange: 'x', routingKey: `events.${host}` }),
    stop: new AbortController().signal,
    confirmMs: 5,
    maxAgeMs: 3_600_000,
    warn: (line) => warnings.push(line),
    ...more,
  };
  const parts: Part[] = [];
  for await (const part of deliverFile(folder, found.file, delivery)) parts.push(part);
  const shown = folder.shown(NAME);
  const read = (name = NAME) => (existsSync(folder.at(name)) ? readFileSync(folder.at(name), 'utf8') : null);
  return { parts, warnings, shown, read, sent: channels.flatMap(({ sent }) => sent), closed: channels[0]?.closed() };
}

const numbers = (sent: readonly MessageRecord[]) => sent.map(({ n }) => n);
const told = (sent: readonly MessageRecord[]) =>
  sent.filter(({ n }) => n === 0).map(({ body, routingKey }) => ({ ...JSON.parse(body), routingKey }));

t.test('what is not confirmed yet is delivered in order, and the file removed', async (t) => {
  const text = head(1) + message(1) + message(2) + mark(1) + message(3);
  const { parts, sent, read, warnings } = await deliver(t, text);
  t.strictSame(parts, [{ files: 1, messages: 2, dropped: 0, bad: 0 }]);
  t.strictSame(numbers(sent), [2, 3]);
  t.match(sent[0], { exchange: 'x', routingKey: 'k', options: { messageId: 'box1-2' } });
  t.equal(read(), null);
  t.strictSame(warnings, []);
});

t.test('messages that there was no room for are told by an event in their place', async (t) => {
  const { parts, sent } = await deliver(t, head(3, 10) + message(10));
  t.match(parts, [{ files: 1, messages: 2, dropped: 7, bad: 0 }]);
  t.match(told(sent), [
    { event: 'spool_dropped', sequence: 3, messages: 7, no_room: 7, identity, routingKey: 'events.node1.example' },
  ]);
});

t.test('old messages are given up and counted', async (t) => {
  const old = { timestamp: nowSec - 7200 };
  const { parts, sent, warnings, shown, read } = await deliver(
    t,
    head(1) + message(1, old) + message(2, old) + message(3),
  );
  t.match(parts, [{ files: 1, messages: 2, dropped: 2, bad: 0 }]);
  t.strictSame(numbers(sent), [3, 0]);
  t.match(told(sent), [{ sequence: 1, too_old: 2, messages: 2 }]);
  t.strictSame(warnings, [`${shown}: gave up 2 messages: too old`]);
  t.equal(read(), null);
});

t.test('what is damaged or may not be sent is set aside with its file; the rest is delivered', async (t) => {
  const text = `${head(1)}damaged\n${message(1, { priority: 999 })}${message(2)}${message(3, { priority: -1 })}`;
  const { parts, sent, warnings, shown, read } = await deliver(t, text);
  t.match(parts, [{ files: 1, messages: 2, dropped: 3, bad: 1 }]);
  t.match(told(sent), [{ damaged: 1, refused: 2, messages: 3, sequence: 1 }]);
  t.strictSame(warnings, [
    `${shown}: 1 damaged and 2 refused records are lost, 2 messages were delivered; message 1 was not published: its priority is 999: expected 0 to 255; the file was set aside as ${NAME}.bad`,
  ]);
  t.equal(read(), null);
  t.match(read(`${NAME}.bad`), new RegExp(`${mark(3).trimEnd().replaceAll(/[{}]/g, '\\$&')}\n$`), 'marked as done');
});

t.test('the check of a delivery refuses, too', async (t) => {
  const check = ({ n }: MessageRecord) => (n === 2 ? 'not theirs' : undefined);
  const { sent, warnings } = await deliver(t, head(1) + message(1) + message(2), { check });
  t.strictSame(numbers(sent), [1, 0]);
  t.match(warnings, [/message 2 was not published: not theirs/]);
});

t.test('a file without a head is known by its messages, else nothing is told', async (t) => {
  const body = JSON.stringify({ Identity: identity });
  const known = await deliver(t, `damaged\n${message(4, {}, body)}`);
  t.match(told(known.sent), [{ damaged: 1, sequence: 1, identity }]);
  const unknown = await deliver(t, `damaged\n${message(4)}`);
  t.strictSame(told(unknown.sent), []);
  t.match(unknown.parts, [{ messages: 1, dropped: 1, bad: 1 }]);
  const forbidden = await deliver(t, `${head(1, 2)}`, { eventsTo: () => undefined });
  t.strictSame(forbidden.sent, [], 'nor where no event may be sent in its name');
});

t.test('what is no spool file is set aside unread', async (t) => {
  const broken = await deliver(t, head(1) + '\n'.repeat(BROKEN_MAX + 1) + message(1));
  t.strictSame(broken.parts, [{ files: 1, bad: 1 }]);
  t.match(broken.warnings, [
    `it has more than ${BROKEN_MAX} damaged records; none of it was delivered; the file was set aside as ${NAME}.bad`,
  ]);
  const folder = (await openFolder(temporaryFolder(t), process.geteuid!(), true))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  writeFileSync(folder.at(NAME), '', { mode: 0o600 });
  truncateSync(folder.at(NAME), 2 ** 25 + 1);
  const long = await deliverOpened(t, folder, {}, []);
  t.strictSame(long.parts, [{ files: 1, bad: 1 }]);
  t.match(long.warnings, [`it has ${2 ** 25 + 1} bytes, and no box writes more than ${2 ** 25}`]);
});

t.test('without a channel, or while it is in doubt whose it is, a file stays', async (t) => {
  const lost = await deliver(t, head(1) + message(1), { channel: async () => undefined });
  t.strictSame(lost.parts, [{ left: 1 }]);
  t.ok(lost.read());
  const doubted = await deliver(t, head(1) + message(1), { doubt: () => 'no name now' });
  t.strictSame(doubted.parts, [{ left: 1 }]);
  t.strictSame(doubted.warnings, [`${doubted.shown} stays: no name now`]);
  t.strictSame(doubted.sent, []);
});

t.test('what the broker does not take now stays, and what it has is marked', async (t) => {
  const text = head(1) + message(1) + message(2) + message(3);
  const nacked = await deliver(t, text, {}, [recordingChannel((n) => (n === 2 ? 'refused' : 'confirmed'))]);
  t.strictSame(nacked.parts, [{ messages: 1, left: 1, silent: false }]);
  t.strictSame(nacked.warnings, [`${nacked.shown}: the broker takes no more messages now: is a queue full?`]);
  t.equal(nacked.read(), text + mark(1));
  t.equal(nacked.closed, 1, 'what is in flight is not for the next file');
  const silent = await deliver(t, text, {}, [recordingChannel((n) => (n === 1 ? 'confirmed' : null))]);
  t.strictSame(silent.parts, [{ messages: 1, left: 1, silent: true }]);
  t.strictSame(silent.warnings, [`${silent.shown}: no confirm within 0.005 s`]);
  t.equal(silent.read(), text + mark(1));
  const stopped = await deliver(t, text, { stop: AbortSignal.abort() });
  t.strictSame(stopped.parts, [{ messages: 0, left: 1, silent: false }]);
  t.strictSame(stopped.warnings, []);
  t.equal(stopped.read(), text, 'nothing new to mark');
});

t.test('the mark does not hide what is lost and not told yet', async (t) => {
  const text = head(1) + message(1) + message(2, { priority: 999 }) + message(3) + message(4);
  const { read } = await deliver(t, text, {}, [recordingChannel((n) => (n === 4 ? 'refused' : 'confirmed'))]);
  t.equal(read(), text + mark(1));
});

t.test('what the broker refuses for good is set aside, and told on a new channel', async (t) => {
  const text = head(1) + message(1) + message(2) + message(3);
  const first = recordingChannel((n) => (n === 1 ? 'confirmed' : null), 3);
  const second = recordingChannel();
  const { parts, warnings, shown, read } = await deliver(t, text, {}, [first, second]);
  t.strictSame(parts, [{ files: 1, messages: 1, dropped: 2, bad: 1 }]);
  t.strictSame(warnings, [
    `${shown}: the broker refuses it: "PRECONDITION_FAILED - no"; 1 messages were delivered, 2 were not; the file was set aside as ${NAME}.bad`,
  ]);
  t.match(told(second.sent), [{ refused: 2, sequence: 2 }]);
  t.equal(read(`${NAME}.bad`), text + mark(1));
  const alone = await deliver(t, text, {}, [recordingChannel(undefined, 1)]);
  t.match(alone.parts, [{ messages: 0, dropped: 3, bad: 1 }], 'where no new channel comes it is only counted');
});
