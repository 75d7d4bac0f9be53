import t from 'tap';
import * as yaml from 'yaml';
import { readConfig } from '../../src/options/config-file.js';
import { parseJsonObject } from '../../src/options/values.js';
import { withUserData } from '../../src/options/verbatim.js';

/** What a consumer reads is what was given: no number goes through a double. */

const carried = (text: string) => {
  const UserData = parseJsonObject(text);
  return withUserData(JSON.stringify({ first: '"UserData":{}', UserData, last: 1 }), UserData);
};

t.test('numbers and texts are carried as they were given', async (t) => {
  for (const text of [
    '{"id":9007199254740993}',
    '{"id":18446744073709551615,"ids":[9223372036854775807,-9223372036854775808]}',
    '{"a":1.0,"b":-0,"c":1e400,"d":1E5,"e":0.10,"f":3.14159265358979323846}',
    '{"s":"\\u00e9\\"1 2\\" \\\\","n":{"id":9007199254740993}}',
    '{"a":1,"b":[true,null],"c":"x y"}',
    '{}',
  ]) {
    t.equal(carried(text), `{"first":"\\"UserData\\":{}","UserData":${text},"last":1}`);
  }
  t.match(
    carried('{ "id" : 9007199254740993,\n\t"s": "a  b" }'),
    '"UserData":{"id":9007199254740993,"s":"a  b"}',
    'minified',
  );
});

t.test('a config file keeps them as well', async (t) => {
  const json = (text: string) => readConfig('f', text, () => yaml).find(({ name }) => name === 'json')?.text;
  t.equal(
    json('json:\n  id: 9007199254740993\n  list: [1.0, -0, 1e400, 0x10, 0o17, 007, +5]\n'),
    '{"id":9007199254740993,"list":[1.0,-0,1e400,16,15,7,5]}',
  );
  t.equal(
    json('json: {a: 0xFFFFFFFFFFFFFFFF, b: "9007199254740993", c: {d: 9007199254740993}}'),
    '{"a":18446744073709551615,"b":"9007199254740993","c":{"d":9007199254740993}}',
  );
  t.equal(json('json: \'{"id": 9007199254740993}\''), '{"id": 9007199254740993}');
  t.equal(json('json: {a: &x 9007199254740993, b: *x, z: 2}'), '{"a":9007199254740993,"b":9007199254740993,"z":2}');
});
