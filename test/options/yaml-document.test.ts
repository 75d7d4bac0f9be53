import t from 'tap';
import * as yaml from 'yaml';
import { parseYaml, scalarText } from '../../src/options/yaml-document.js';

const FILE = '/etc/x.yaml';
const parse = (text: string) => parseYaml(FILE, text, yaml);

t.test('keys, values and lines of a mapping', async (t) => {
  const { pairs } = parse('a: 1\n\nb:\n  c: 2\n? 0x10\n: x\nd: *A\n'.replace('*A', 'y'));
  t.match(pairs, [
    { key: 'a', line: 1 },
    { key: 'b', line: 3 },
    { key: '0x10', line: 5 },
    { key: 'd', line: 7 },
  ]);
  for (const text of ['', '# nothing\n', '---\n', '~']) t.strictSame(parse(text).pairs, [], JSON.stringify(text));
  const nested = pairs[1]!.value;
  t.ok(yaml.isMap(nested));
  if (yaml.isMap(nested)) t.match(parse('').pairsOf(nested), [{ key: 'c' }]);
  t.match(parse('[a]: 1').pairs, [{ key: '' }], 'a key that is no scalar has no name');
});

t.test('an alias is what it stands for', async (t) => {
  const { pairs, resolve } = parse('a: &x 5\nb: *x\nc: [*x]\n');
  t.equal(scalarText(yaml, pairs[1]!.value), '5');
  const list = pairs[2]!.value;
  if (yaml.isSeq(list)) t.equal(scalarText(yaml, resolve(list.items[0])), '5');
});

t.test('a scalar keeps its text', async (t) => {
  const cases: Record<string, string | null | undefined> = {
    '0x10': '0x10',
    True: 'True',
    '1e1': '1e1',
    '"a b"': 'a b',
    '~': null,
    '': null,
    '[1]': undefined,
  };
  for (const [text, expected] of Object.entries(cases))
    t.equal(scalarText(yaml, parse(`k: ${text}`).pairs[0]!.value), expected, text);
  t.equal(scalarText(yaml, null), null);
});

t.test('numbers become JSON as they were written', async (t) => {
  const json = (text: string) => {
    const { pairs, toJson } = parse(`k: ${text}`);
    return toJson(pairs[0]!.value as yaml.Node);
  };
  const cases: Record<string, string> = {
    '{a: 12345678901234567890}': '{"a":12345678901234567890}',
    '{a: 1.50, b: -0, c: 1e400}': '{"a":1.50,"b":-0,"c":1e400}',
    '{a: +5, b: 0x1F, c: 0o17, d: 007}': '{"a":5,"b":31,"c":15,"d":7}',
    '{a: .inf, b: .nan}': '{"a":null,"b":null}',
    '{a: "12", b: true, c: [1, ~]}': '{"a":"12","b":true,"c":[1,null]}',
    '{5: x}': '{"5":"x"}',
  };
  for (const [text, expected] of Object.entries(cases)) t.equal(json(text), expected, text);
});

t.test('every fault names file and line, and never repeats the text', async (t) => {
  const cases: Record<string, string | RegExp> = {
    '- s3cret': `${FILE}:1: not a mapping: expected lines of "key: value"`,
    s3cret: `${FILE}:1: not a mapping: expected lines of "key: value"`,
    'a: 1\na: s3cret': `${FILE}:2: this key occurs twice: remove one of the two`,
    'a: 1\n---\nb: s3cret': `${FILE}:2: a second document begins here: keep one, without "---"`,
    'a: "s3cret': /^\/etc\/x\.yaml:1: not valid YAML \([a-z ]+\): expected lines of "key: value"$/,
    'a:\n\t- s3cret': /^\/etc\/x\.yaml:2: not valid YAML/,
  };
  for (const [text, message] of Object.entries(cases)) {
    t.throws(() => parse(text), { name: 'SpecError', message }, text);
    t.throws(
      () => {
        try {
          parse(text);
        } catch (error) {
          t.notMatch((error as Error).message, /s3cret/);
          throw error;
        }
      },
      { name: 'SpecError' },
    );
  }
  const { pairs, toJson } = parse('x: 1\na: &a [*a]\n');
  t.throws(() => toJson(pairs[1]!.value as yaml.Node), {
    name: 'SpecError',
    message: /^\/etc\/x\.yaml:2: the aliases cannot be resolved: write out the values$/,
  });
});
