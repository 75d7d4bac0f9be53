import t from 'tap';
import { Turns } from '../../src/agent/turns.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A begin that waits until the test says that the job has started. */
function beginning(turns: Turns, done: string[], name: string) {
  let started = () => {};
  turns.begin(async () => {
    done.push(name);
    await new Promise<void>((resolve) => {
      started = resolve;
    });
  });
  return () => started();
}

t.test('one box begins in each turn of the event loop, in order', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  for (const name of ['a', 'b', 'c']) beginning(turns, done, name);
  t.same(done, [], 'none at once');
  await turn();
  t.same(done, ['a']);
  await turn();
  t.same(done, ['a', 'b']);
  await turn();
  t.same(done, ['a', 'b', 'c']);
  beginning(turns, done, 'd');
  await turn();
  t.same(done, ['a', 'b', 'c', 'd'], 'it goes on after it had nothing to do');
});

t.test('other work is done at once, unless a box begins: then after it, in order', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  const after = (name: string) => turns.after(() => done.push(name));
  after('at once');
  t.same(done, ['at once']);
  const started = beginning(turns, done, 'a');
  for (let i = 0; i < 20; i++) after(`${i}`);
  await turn();
  t.same(done, ['at once', 'a']);
  started();
  for (let i = 0; i < 6; i++) await turn();
  t.same(done, ['at once', 'a', ...Array.from({ length: 20 }, (_, i) => `${i}`)]);
});

t.test('a box that does not get on with its beginning holds the others up for a moment only', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  beginning(turns, done, 'a');
  await new Promise<void>((resolve) => turns.after(resolve));
  t.same(done, ['a']);
  await new Promise<void>((resolve) => turns.after(resolve));
  turns.after(() => done.push('at once from then on'));
  t.same(done, ['a', 'at once from then on']);
});

t.test('work that throws does not keep the rest from being done', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  beginning(turns, done, 'a');
  turns.after(() => {
    throw new Error('not foreseen');
  });
  turns.after(() => done.push('b'));
  t.throws(() => turns.flush(), /not foreseen/);
  turns.flush();
  t.same(done, ['b']);
});
