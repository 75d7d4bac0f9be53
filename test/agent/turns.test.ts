import t from 'tap';
import { Turns } from '../../src/agent/turns.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('does one piece of work for each turn of the event loop, in order', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  for (const name of ['a', 'b', 'c']) turns.add(() => done.push(name));
  t.same(done, [], 'nothing at once');
  await turn();
  t.same(done, ['a']);
  await turn();
  t.same(done, ['a', 'b']);
  await turn();
  t.same(done, ['a', 'b', 'c']);
  turns.add(() => done.push('d'));
  await turn();
  t.same(done, ['a', 'b', 'c', 'd'], 'it goes on after it had nothing to do');
});

t.test('work may add work, which comes last', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  turns.add(() => {
    done.push('a');
    turns.add(() => done.push('c'));
  });
  turns.add(() => done.push('b'));
  for (let i = 0; i < 3; i++) await turn();
  t.same(done, ['a', 'b', 'c']);
});
