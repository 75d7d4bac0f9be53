import t from 'tap';
import { ordered, orderText, parseOrder } from '../../../../src/observe/page/data/order.js';

t.test('an order comes from an address and goes into one', async (t) => {
  const otherwise = { by: 'memory', descending: true };
  t.strictSame(parseOrder('-cpu', ['cpu'], otherwise), { by: 'cpu', descending: true });
  t.strictSame(parseOrder('cpu', ['cpu'], otherwise), { by: 'cpu', descending: false });
  t.strictSame(parseOrder('nonsense', ['cpu'], otherwise), otherwise);
  t.strictSame(parseOrder(undefined, ['cpu'], otherwise), otherwise);
  t.equal(orderText({ by: 'cpu', descending: true }), '-cpu');
  t.equal(orderText({ by: 'cpu', descending: false }), 'cpu');
});

t.test('numbers within names count, and what is not known comes last', async (t) => {
  const names = ['node10', 'node9', 'node1'];
  t.strictSame(
    ordered(names, (name) => name, false),
    ['node1', 'node9', 'node10'],
  );
  t.strictSame(
    ordered(names, (name) => name, true),
    ['node10', 'node9', 'node1'],
  );
  const figures = [null, 3, 1, null, 2];
  t.strictSame(
    ordered(figures, (value) => value, false),
    [1, 2, 3, null, null],
  );
  t.strictSame(
    ordered(figures, (value) => value, true),
    [3, 2, 1, null, null],
  );
});
