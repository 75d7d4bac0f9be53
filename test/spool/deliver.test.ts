import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type DeliveryOptions, deliverInTurn, openFolder } from '../../src/spool/index.js';
import type { PublishChannel } from '../../src/spool/sending.js';
import { fakeBox } from '../fixtures/broker.js';
import { line, makeOwn, testSpool } from '../fixtures/spool.js';

/** DeliveryOptions over channels that do what a broker rarely does. */

const uid = process.geteuid?.() ?? 0;
const BOXES = ['b1', 'b2', 'b3', 'b4'];

async function spooled(t: Test) {
  const spool = testSpool(t);
  const own = makeOwn(spool, uid);
  for (const box of BOXES) {
    const { identity } = fakeBox({ box });
    const message = { exchange: 'x', routingKey: 'k', options: { messageId: `${box}-1` }, body: '{}' };
    const text = line({ spool: 1, identity, from: 1, first: 1 }) + line({ n: 1, ...message });
    writeFileSync(join(own, `${box}.spool`), text, { mode: 0o600 });
  }
  const folder = (await openFolder(spool.dir, uid, false))!;
  t.teardown(() => folder[Symbol.asyncDispose]());
  return { folder, exists: (box: string) => existsSync(join(own, `${box}.spool`)) };
}

function delivery(
  channel: () => PublishChannel,
  more: Partial<DeliveryOptions> = {},
): DeliveryOptions & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const stop = new AbortController();
  return {
    channel: async () => channel(),
    eventsTo: () => undefined,
    stop: stop.signal,
    confirmMs: 20,
    maxAgeMs: 1e9,
    warn: (text) => warnings.push(text),
    warnings,
    ...more,
  };
}

const silent: PublishChannel = { publish: () => {}, onEnded: () => {}, close: () => {} };
const nacking: PublishChannel = { ...silent, publish: (_, done) => done('refused') };

t.test('a user whose messages are never confirmed costs one wait, and loses nothing', async (t) => {
  const { folder, exists } = await spooled(t);
  let published = 0;
  const one = delivery(() => ({ ...silent, publish: () => published++ }));
  t.match(await deliverInTurn([{ folder, delivery: one }], () => {}), { left: 4, messages: 0, bad: 0 });
  t.equal(published, 1, 'nothing more of this user is tried');
  t.match(one.warnings, [/b1\.spool: no confirm within 0\.02 s/]);
  t.ok(BOXES.every(exists));
});

t.test('where nobody gets a confirm the broker is given up after two users', async (t) => {
  const folders = await Promise.all([1, 2, 3, 4].map(() => spooled(t)));
  const stop = new AbortController();
  const one = delivery(() => silent, { stop: stop.signal });
  let givenUp = 0;
  const giveUp = () => {
    givenUp++;
    stop.abort();
  };
  const result = await deliverInTurn(
    folders.map(({ folder }) => ({ folder, delivery: one })),
    giveUp,
  );
  t.match(result, { left: 16, files: 0 });
  t.equal(one.warnings.length, 2);
  t.ok(givenUp > 0);
});

t.test('a full queue sets nothing aside', async (t) => {
  const { folder, exists } = await spooled(t);
  const one = delivery(() => nacking);
  t.match(await deliverInTurn([{ folder, delivery: one }], () => {}), { left: 4, bad: 0 });
  t.ok(BOXES.every(exists));
});

t.test('while a directory service is away nothing of a user is refused', async (t) => {
  const { folder, exists } = await spooled(t);
  const one = delivery(() => silent, { doubt: () => 'uid 7 has no name now', check: () => 'not theirs' });
  t.match(await deliverInTurn([{ folder, delivery: one }], () => {}), { left: 4, bad: 0 });
  t.match(one.warnings[0], /b1\.spool stays: uid 7 has no name now/);
  t.ok(BOXES.every(exists));
});
