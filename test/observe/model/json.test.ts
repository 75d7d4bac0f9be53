import t from 'tap';
import { parseJson } from '../../../src/observe/model/json.js';

t.test('a text is what it says, and undefined if it is no JSON', async (t) => {
  t.strictSame(parseJson('{"a":[1,null]}'), { a: [1, null] });
  t.equal(parseJson('null'), null);
  for (const text of ['', '{', 'undefined', '{"a":1} b', 'NaN']) t.equal(parseJson(text), undefined, text);
});
