import t from 'tap';
import { parseLenient, repeatedKey } from '../../src/amqp/lenient-json.js';

t.test('removes a comma only where one value stands before it', async (t) => {
  for (const text of ['[,]', '{,}', '[1,,]', '{"a":,}', ',', '[1],', '["a,]', '[1 2,]']) {
    t.throws(() => parseLenient(text), SyntaxError, text);
  }
  t.strictSame(parseLenient('[[1,],{"a":[],},]'), [[1], { a: [] }]);
});

t.test('looks at 64 KiB of quotes and backslashes in no time', async (t) => {
  const startedAtMs = performance.now();
  for (const text of ['\\"', '"', '[', ',]', '{"a":']) t.throws(() => parseLenient(text.repeat(65_536 / text.length)));
  t.ok(performance.now() - startedAtMs < 1_000);
});

t.test('strings stay as they are', async (t) => {
  t.strictSame(parseLenient('["a,]", "\\",}" , ]'), ['a,]', '",}']);
  t.strictSame(parseLenient(' {"a" : 1 ,\n} '), { a: 1 });
  t.equal(parseLenient('"x,"'), 'x,');
});

t.test('a key that is twice in one object is found, in whatever case', async (t) => {
  const cases: Record<string, string | undefined> = {
    '{"a":1,"b":2}': undefined,
    '{"a":1,"A":2}': 'a',
    '{"a":{"a":1},"b":{"a":2}}': undefined,
    '[{"a":1},{"a":2}]': undefined,
    '{"a":1,"b":[{"c":1,"C":2}]}': 'c',
    '{"a":"a:","b":"\\"a\\":"}': undefined,
    '{"a":1,"\\u0061":2}': 'a',
    '{"a":1,"b":{"c":{}},"a":2}': 'a',
    '{}': undefined,
    '7': undefined,
  };
  for (const [text, key] of Object.entries(cases)) t.equal(repeatedKey(text), key, text);
});
