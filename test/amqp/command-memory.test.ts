import t from 'tap';
import { askedFor, CommandMemory } from '../../src/amqp/command-memory.js';
import type { Answer } from '../../src/model/types.js';

const OK: Answer = { ok: true, result: 1 };

t.test('a command is remembered before it is carried out', async (t) => {
  const order: string[] = [];
  const memory = new CommandMemory([], (when) => void order.push(when));
  const answer = memory.remember('k', 'a', async () => {
    order.push('carried out');
    t.strictSame(memory.save(), [['k', 'a', null]], 'its answer is not known yet');
    return OK;
  });
  t.strictSame(order, ['now', 'carried out'], 'at once');
  t.strictSame(await answer, OK);
  t.strictSame(await memory.get('k')?.answer, OK);
  await Promise.resolve();
  t.strictSame([order.at(-1), memory.save()], ['soon', [['k', 'a', OK]]]);
});

t.test('another process goes on with it', async (t) => {
  const memory = new CommandMemory([
    ['k', 'a', OK],
    ['long', 'b', null],
  ]);
  t.strictSame(await memory.get('k')?.answer, OK);
  t.strictSame(await memory.get('long')?.answer, { ok: true, result: null }, 'an answer that was too long to be saved');
  t.equal(memory.get('k')?.asked, 'a');
  t.equal(memory.get('other'), undefined);
});

t.test('only so many are remembered, and fewer are saved', async (t) => {
  const memory = new CommandMemory();
  for (let index = 0; index < 1_001; index++) void memory.remember(`k${index}`, 'a', async () => OK);
  t.equal(memory.get('k0'), undefined);
  t.ok(memory.get('k1'));
  t.equal(memory.save().length, 64);
  t.equal(memory.save().at(-1)?.[0], 'k1000');
});

t.test('a long answer is not saved', async (t) => {
  const memory = new CommandMemory();
  await memory.remember('k', 'a', async () => ({ ok: true, result: 'x'.repeat(1_000) }));
  await Promise.resolve();
  t.strictSame(memory.save(), [['k', 'a', null]]);
});

t.test('a command that only asks is answered twice alike, and nothing of it is saved', async (t) => {
  const changes: string[] = [];
  const memory = new CommandMemory([], (when) => void changes.push(when));
  await memory.remember('k', 'a', async () => OK, true);
  t.strictSame(await memory.get('k')?.answer, OK);
  t.strictSame([changes, memory.save()], [[], []]);
});

t.test('commands are compared as a whole, and take little room', async (t) => {
  t.equal(askedFor('kill', ['9']), '["kill","9"]');
  const long = (last: string) => askedFor('set_limit', ['cpuset', `${'0,'.repeat(10_000)}${last}`]);
  t.ok(long('1').length < 100);
  t.equal(long('1'), long('1'));
  t.not(long('1'), long('2'));
});
