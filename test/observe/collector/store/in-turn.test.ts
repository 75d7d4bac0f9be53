import t from 'tap';
import { InTurn } from '../../../../src/observe/collector/store/in-turn.js';

t.test('one piece of work follows the other, also after an error, which its caller gets', async (t) => {
  const turns = new InTurn();
  const order: string[] = [];
  const work = (name: string, fails = false) =>
    turns.do(async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const [a, b, c] = await Promise.allSettled([work('a'), work('b', true), work('c')]);
  t.strictSame(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  t.match([a, b, c], [{ value: 'a' }, { reason: { message: 'b' } }, { value: 'c' }]);
});
