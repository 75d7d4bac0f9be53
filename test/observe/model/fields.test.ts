import t from 'tap';
import {
  amountAt,
  listAt,
  NAME_LENGTH_MAX,
  nameAt,
  numberAt,
  objectAt,
  textAt,
} from '../../../src/observe/model/fields.js';

t.test('a field of another type is null or empty', async (t) => {
  for (const odd of [undefined, null, 'x', true, [1], {}, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.equal(amountAt(odd), null);
    t.equal(numberAt(odd), null);
  }
  t.equal(amountAt(-1), null, 'an amount is not negative');
  t.equal(numberAt(-1), -1);
  t.strictSame(objectAt([1]), {});
  t.strictSame(objectAt(null), {});
  t.strictSame(listAt({}, 3), []);
  t.strictSame(listAt([1, 2, 3, 4], 3), [1, 2, 3], 'a list is cut');
  t.equal(textAt(''), null);
  t.equal(textAt(7), null);
});

t.test('a name is bounded text, and a number counts as its text', async (t) => {
  t.equal(nameAt(1234), '1234');
  t.equal(nameAt('x'.repeat(1000))?.length, NAME_LENGTH_MAX);
});

t.test('text is well-formed and has no NUL, and otherwise stays as it was sent', async (t) => {
  t.equal(textAt('a\0b'), 'a\ufffdb');
  t.equal(textAt('a\ud800b\udc00c'), 'a\ufffdb\ufffdc');
  t.equal(textAt('<b>\u001b[2J\u202e\ud83d\ude00'), '<b>\u001b[2J\u202e\ud83d\ude00');
  t.equal(textAt('\ud83d\ude00', 1), '\ufffd', 'a cut through a pair of surrogates');
});
