import t from 'tap';
import { isOptionOf, isSet, readVerb, type Verb } from '../../src/options/verb-words.js';

const OWN = { wait: { placeholder: 'duration' }, json: {}, help: {} };
const anywhere: Verb<keyof typeof OWN> = { name: 'proc_box v', own: OWN, ofBox: 'all', ends: 'with the words' };
const first: Verb<keyof typeof OWN> = { ...anywhere, ofBox: ['uri', 'multiRmtKey'], ends: 'at the first word' };

for (const [verb, words, own, forBox, rest] of [
  [anywhere, ['list', '--wait', '1s', '-wait=2s', '--json'], { wait: '2s', json: 'true' }, [], ['list']],
  [
    anywhere,
    ['--debug', 'list', '-uri', 'none', '--report=false'],
    {},
    ['--debug=true', '-uri=none', '--report=false'],
    ['list'],
  ],
  [anywhere, ['-h', '--', '-', '---x', '-=x'], { help: 'true' }, [], ['--', '-', '---x', '-=x']],
  [
    first,
    ['--json=false', '-multiRmtKey', 'kill', '-9', '--json'],
    { json: 'false' },
    ['-multiRmtKey=true'],
    ['kill', '-9', '--json'],
  ],
  [first, ['--wait', '--json', '--', '--json'], { wait: '--json' }, [], ['--json']],
  [first, ['--wait=a=b\nc', 'x'], { wait: 'a=b\nc' }, [], ['x']],
] as const) {
  t.test(`${verb === first ? 'up to the first word' : 'anywhere'}: ${words.join(' ')}`, async (t) => {
    const read = readVerb(words, verb);
    t.strictSame([Object.fromEntries(read.own), read.forBox, read.rest], [own, forBox, rest]);
  });
}

for (const [verb, words, message] of [
  [first, ['--wiat', '1s'], 'unknown option "--wiat"; did you mean --wait?'],
  [first, ['-wiat', '1s'], 'unknown option "-wiat"; did you mean -wait?'],
  [first, ['--xyzzy'], 'unknown option "--xyzzy"; "proc_box v --help" lists them'],
  [
    first,
    ['--memory', '1G'],
    '--memory is an option of a box, not of "proc_box v"; "proc_box v --help" lists its options',
  ],
  [anywhere, ['--memry', '1G'], 'unknown option "--memry"; did you mean --memory?'],
  [anywhere, ['--constructor'], 'unknown option "--constructor"; "proc_box v --help" lists them'],
  [anywhere, ['--wait'], '--wait needs a value; "proc_box v --help" lists the options'],
  [anywhere, ['--wait='], '--wait needs a value; "proc_box v --help" lists the options'],
  [anywhere, ['--memory'], '--memory needs a value; "proc_box v --help" lists the options'],
] as const) {
  t.throws(() => readVerb(words, verb), { name: 'SpecError', message }, words.join(' '));
}

t.test('flags, and words that would be options', async (t) => {
  t.ok(isSet(readVerb(['--json'], anywhere), 'json'));
  t.notOk(isSet(readVerb(['--json=false'], anywhere), 'json'));
  t.notOk(isSet(readVerb([], anywhere), 'json'));
  t.throws(() => isSet(readVerb(['--json=maybe'], anywhere), 'json'), { message: /^--json: "maybe" is neither/ });
  t.strictSame(
    ['--wait', '-uri=x', '--memory', '-9', 'uri'].map((word) => isOptionOf(first, word)),
    [true, true, false, false, false],
  );
});
