// test-timeout: 300s
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { OPTION_NAMES, OPTIONS, type Option } from '../../src/options/table.js';
import { configure, HOOK, startMom } from '../fixtures/mom.js';
import { PYTHON } from '../fixtures/run.js';

/** What users write into `-l box=`, and what the site has said. */

const STUB = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'pbs', 'pbs.py');
const folder = mkdtempSync(join(tmpdir(), 'proc_box-words-'));
t.teardown(() => spawnSync('rm', ['-rf', folder]));

function submit(box: string, config: object = {}): { accept: boolean; message: string | null } {
  const path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify(config));
  const event = { type: 'queuejob', job: { id: '1.s', Resource_List: { box } } };
  const input = JSON.stringify({ script: HOOK, event, config: path });
  const { stdout, stderr } = spawnSync(PYTHON, [STUB], { input, encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}

/** The hook's own functions, outside of PBS. @returns what is wrong with each text, or null */
function parsed(lists: readonly (readonly string[])[]): (string | null)[] {
  const program = `
import json, sys
names, lists = {"__name__": "hook"}, json.loads(sys.stdin.read())
sys.argv = ["hook.py", ${JSON.stringify(join(folder, 'empty.json'))}]
exec(compile(open(${JSON.stringify(HOOK)}).read(), "hook.py", "exec"), names)
def wrong(words):
    try:
        names["parse"](words, "box")
    except ValueError as error:
        return str(error)
print(json.dumps([[wrong(words) for words in lists], sorted(names["FITS"]), sorted(names["BOOLEAN"])]))`;
  writeFileSync(join(folder, 'empty.json'), '{}');
  const { stdout, stderr } = spawnSync(PYTHON, ['-c', program], { input: JSON.stringify(lists), encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  const [answers, names, booleans] = JSON.parse(stdout);
  t.strictSame(names, [...OPTION_NAMES].sort(), "the hook knows proc_box's options");
  t.strictSame(booleans, OPTION_NAMES.filter((name) => OPTIONS[name].type === 'boolean').sort());
  return answers;
}

t.test('the hook refuses no value that proc_box takes', async (t) => {
  const texts = [
    '0',
    '1',
    '10',
    '4G',
    '1.5GiB',
    '10kB',
    '512 M',
    '1h30m',
    '.5s',
    '100ms',
    '1µs',
    '0.5',
    '1.5',
    'unlimited',
  ];
  texts.push(
    'INFINITY',
    'true',
    'F',
    'scheduler',
    'strict',
    'TERM',
    'SIGUSR1',
    '9',
    '{"a": 1}',
    'nofile=1:2',
    '/x',
    'off',
  );
  texts.push('/dev/null:rbps=1M', '0-3,5', 'amqp://h', 'none', 'open', 'broker', 'a b', 'ü', '-x');
  const good = OPTION_NAMES.flatMap((name) =>
    texts.filter((text) => takes(OPTIONS[name], text)).map((text) => [`--${name}=${text}`]),
  );
  t.ok(good.length > 200);
  for (const [index, wrong] of parsed(good).entries()) t.equal(wrong, null, good[index]!.join(' '));
});

function takes(option: Option, text: string): boolean {
  try {
    option.parse(text);
    return true;
  } catch {
    return false;
  }
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ['--memory', /--memory needs a value/],
  ['"--memory"', /--memory needs a value/],
  ['"--memory 4X"', /--memory 4X: expected a size, for example 512M/],
  ['"--memry 4G"', /unknown option --memry; did you mean --memory\?/],
  ['--cpus inf', /--cpus inf: expected a number/],
  ['--timeout nonsense', /--timeout nonsense: expected a duration/],
  ['--failure open --timeout nonsense', /expected a duration/],
  ['--failure open', /jobs may not set --failure/],
  ['--failure=open', /jobs may not set --failure/],
  ['-failure open', /jobs may not set --failure/],
  ['--help', /jobs may not set --help/],
  ['--version=true', /jobs may not set --version/],
  ['--argv0 x', /jobs may not set --argv0/],
  ['--refuse x', /jobs may not set --refuse/],
  ['--argv=x;', /unknown option --argv/],
  ['--report true', /true is not an option/],
  ['--memory 1G /bin/sh -c id', /\/bin\/sh is not an option/],
  ['--memory 1G -- id', /options only, without --/],
  ['--memory=1G\n--', /options only, without --/],
  ['---x', /---x is not an option/],
  ['-', /- is not an option/],
  ['--pids %s', /--pids %s: expected a number/],
  ['--pids ٣', /--pids/],
  ["--json '", /No closing quotation/],
  [`--json ${'x'.repeat(20_000)}`, /longer than 16384 characters/],
];

t.test('bad words are refused at submission, with the reason', async (t) => {
  for (const [box, message] of BAD)
    t.match(submit(box, { fail: 'closed' }), { accept: false, message }, box.slice(0, 60));
  for (const box of [
    '--json \'{"a": "--failure open"}\'',
    '--skey %s',
    '--skey ü',
    '--cpus unlimited',
    '--rows 0 --report',
  ])
    t.match(submit(box), { accept: true }, box);
  t.match(submit('--memory 1T', { fixed: ['--memory', '1G'] }), {
    accept: false,
    message: /the site has locked --memory/,
  });
});

t.test("whatever a job says, the site's options hold, and the job runs", async (t) => {
  const mom = startMom(t);
  const fixed = ['--rlimit', 'nofile=77', '--timeout', '1s', '--stop-signal', 'KILL'];
  const hook = configure(mom, { allow_off: false, fail: 'open', fixed });
  const script = '#!/bin/sh\nulimit -n; exec sleep 20';
  const words: readonly (readonly [string, Record<string, string>])[] = [
    ...BAD.filter(([box]) => box.length < 1000).map(([box]) => [box, {}] as const),
    ['off', {}],
    ['of', {}],
    ['--timeout 1h --rlimit nofile=1000', {}],
    ['--json --failure --rows open', {}],
    ['--tls-key /nowhere --cgroup x', {}],
    ['default', { PBOX_TIMEOUT: 'nonsense', PBOX_FAILURE: 'open' }],
    ['default', { PBOX_MEMORY: 'much', PBOX_CONFIG: '/nowhere', PBOX_URI_FILE: '/nowhere' }],
    ['default', { PBOX_ARGV: '--;/bin/echo;', PBOX_REFUSE: 'x', PBOX_VERSION: 'true' }],
    // Bytes that are not UTF-8, as Python has them.
    ['default', { PBOX_PBS_ARGUMENTS: '%FF;\udcff;', PBOX_JSON: '\udcff' }],
    ['--json \udcff', {}],
    ['--memory 99999999999999999999999P --cpus 1e400', {}],
  ];
  for (const [box, env] of words) {
    const task = await mom.run({ script, resources: { box }, env, hook });
    t.equal(await task.exitStatus, 256 + 9, `${box} ${JSON.stringify(env)}`);
    t.match(task.output(), /^77$/m, box);
  }
  const task = await mom.run({ script, resources: { box: '--timeout nonsense' }, hook });
  t.equal(await task.exitStatus, 256 + 9);
  t.match(
    task.output(),
    /proc_box: error: box=--timeout nonsense: --timeout nonsense: expected a duration.*; the job runs in a box without that/,
  );
});

t.test('bad words where the site itself boxes nothing: the default box, which says so', async (t) => {
  const mom = startMom(t);
  const task = await mom.run({
    script: '#!/bin/sh\nexit 7',
    resources: { box: '--memry 4G' },
    hook: configure(mom, { policy: 'off' }),
  });
  t.equal(await task.exitStatus, 7);
  t.match(task.output(), /unknown option --memry; did you mean --memory\?; the job runs in a box without that/);
});

t.test('fail closed: a job of bad words is not run, whatever it says of --failure', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { allow_off: false, fail: 'closed' });
  for (const [box, env] of [
    ['--failure open --timeout nonsense', {}],
    ['--memory', {}],
    ['default', { PBOX_FAILURE: 'open', PBOX_TIMEOUT: 'nonsense' }],
  ] as const) {
    const task = await mom.run({ script: '#!/bin/sh\necho ran', resources: { box }, env, hook });
    t.equal(await task.exitStatus, 125, box);
    t.notMatch(task.output(), /^ran$/m);
    t.match(task.output(), /proc_box: error: .*(?:timeout|memory)/i);
  }
});
