import fc from 'fast-check';
import t from 'tap';
import * as yaml from 'yaml';
import { SpecError } from '../../src/errors.js';
import { readConfig, readFlat } from '../../src/options/config-file.js';

const FILE = '/etc/proc_box/config.yaml';
const noYaml = () => t.fail('the YAML parser is not needed') as never;
const read = (text: string, load = () => yaml) =>
  readConfig(FILE, text, load).map(({ name, text }) => `${name}=${text}`);

t.test('a file of plain lines is read without the YAML parser', async (t) => {
  const text =
    '# site\nuri: amqp://u:p@h1:5672,h2/v # two\nsint:   10s\r\n\nmultiRmtKey: true\njson: \'{"a": 1}\'\nskey: "x"\nrows: ""\n';
  t.strictSame(read(text, noYaml), [
    'uri=amqp://u:p@h1:5672,h2/v',
    'sint=10s',
    'multiRmtKey=true',
    'json={"a": 1}',
    'skey=x',
  ]);
  t.strictSame(readConfig(FILE, '\nsint: 10s', noYaml), [
    { name: 'sint', text: '10s', origin: `${FILE}:2: sint`, source: 'config file' },
  ]);
  t.strictSame(read('', noYaml), []);
});

t.test('lists, maps, objects, block texts, anchors and nulls are read with it', async (t) => {
  const cases: [string, string[]][] = [
    ['uri:\n  - amqp://h1\n  - amqp://h2\n', ['uri=amqp://h1,amqp://h2']],
    ['rlimit: [nofile=1:2, core=0]', ['rlimit=nofile=1:2,core=0']],
    ['rlimit:\n  nofile: 1024:4096\n  core: 0\n  as: unlimited', ['rlimit=nofile=1024:4096,core=0,as=unlimited']],
    ['json:\n  project: x\n  tags: [a, 1]', ['json={"project":"x","tags":["a",1]}']],
    ['json: {"a": true}', ['json={"a":true}']],
    ['json: |\n  {"a": 1}', ['json={"a": 1}']],
    ['skey: &k a.b\nekey: *k', ['skey=a.b', 'ekey=a.b']],
    ['sint: ~\nrows: null\nskey:\nuri: []', []],
    ['sint: "1\\u0030s"', ['sint=10s']],
    [
      'stdoutlimit: 0x10\ndebug: True\nrows: 1e1\nskey: !!str 5',
      ['stdoutlimit=0x10', 'debug=True', 'rows=1e1', 'skey=5'],
    ],
    ['---\nsint: 10s\n', ['sint=10s']],
    ['# nothing\n---\n', []],
  ];
  for (const [text, given] of cases) t.strictSame(read(text), given, JSON.stringify(text));
});

t.test('every fault names file and line, and never repeats a value', async (t) => {
  const cases: [string, string][] = [
    ['sint: 10s\ntiemout: 5s', ':2: "tiemout" is not an option; did you mean "timeout"?'],
    ['- x\n', ':1: not a mapping: expected lines of "key: value"'],
    ['{sint: 10s, qqqqqqqq: 1}', ':1: "qqqqqqqq" is not an option; "proc_box --help" lists them'],
    ['config: /x', ':1: "config" cannot be set in a config file: remove the line'],
    ['version: true', ':1: "version" cannot be set in a config file: remove the line'],
    ['sint: 10s\nsint: 11s', ':2: this key occurs twice: remove one of the two'],
    [
      'sint: 10s\nuri: *s3cret',
      ':2: uri: expected one value or a list, for example "uri: amqp://guest:guest@localhost:5672"',
    ],
    ['skey: "a', ':1: not valid YAML (missing char): expected lines of "key: value"'],
    ['sint: [1s]', ':1: sint: expected one value, for example "sint: 1m"'],
    ['sint: {a: 1s}', ':1: sint: expected one value, for example "sint: 1m"'],
    ['\nuri: [[a]]', ':2: uri: expected one value or a list, for example "uri: amqp://guest:guest@localhost:5672"'],
    [
      'rlimit: {nofile: [1]}',
      ':1: rlimit: expected one value or a list or a map, for example "rlimit: <name=soft:hard>"',
    ],
    ['json: [1]', ':1: json: expected one value or a JSON object, for example "json: <object>"'],
  ];
  for (const [text, message] of cases) t.throws(() => read(text), new SpecError(FILE + message), JSON.stringify(text));
});

t.test('the plain reader means the same as the YAML parser wherever it answers', async (t) => {
  const plain = fc.array(fc.constantFrom('a', 'Z', '0', '.', '-', ':', '/', '@', ',', '%', '=', '+', 'null', '1e3'), {
    minLength: 1,
    maxLength: 5,
  });
  const odd = fc.array(
    fc.constantFrom('a', ' ', '#', ' #', ': ', '"', "'", '&', '*', '!', '|', '\t', '~', '[', '{', '?', '\\', '>', '`'),
    { maxLength: 5 },
  );
  const piece = fc
    .oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: odd })
    .map((pieces) => pieces.join(''));
  const value = fc.oneof(
    piece,
    piece.map((inner) => `"${inner}"`),
    piece.map((inner) => `'${inner}' # x`),
    fc.constant(''),
  );
  const line = fc.oneof(
    value.map((value) => `: ${value}`),
    piece.map((key) => `${key}:`),
  );
  const entry = fc
    .tuple(fc.constantFrom('a', 'b-c', 'multiRmtKey', 'x', ' y', '', '#'), line)
    .map(([key, rest]) => key + rest);
  const text = fc
    .array(entry, { minLength: 1, maxLength: 3 })
    .chain((rows) => fc.constantFrom('\n', '\r\n').map((end) => rows.join(end)));
  let answered = 0;
  fc.assert(
    fc.property(text, (text) => {
      const flat = readFlat(text);
      if (flat === undefined) return true;
      if (flat.length > 0) answered++;
      const document = yaml.parseDocument(text, { logLevel: 'silent' });
      const items = yaml.isMap(document.contents) ? document.contents.items : [];
      const entries = items.map(({ key, value }) => {
        const scalar = value as yaml.Scalar;
        return [String(key), typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? '')];
      });
      const same =
        JSON.stringify(entries.filter(([, value]) => value !== '')) ===
        JSON.stringify(flat.map(({ key, value }) => [key, value]));
      return document.errors.length === 0 && same;
    }),
    { numRuns: 3000 },
  );
  t.ok(answered > 100, 'the property was put to the test');
});
