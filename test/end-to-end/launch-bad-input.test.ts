import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type RunOptions, run, temporaryFolder } from '../fixtures/run.js';

const dir = temporaryFolder(t);
const file = (name: string, text: string, mode = 0o644) => {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const SECRET = 's3cr3t-pass';

/** What is wrong, how it is given, and what the one line must say. */
const CASES: [string, RunOptions, RegExp][] = [
  ['an unknown option', { options: ['--frobnicate'] }, /unknown option "--frobnicate"/],
  ['a mistyped option', { options: ['-timeuot', '5s'] }, /unknown option "--?timeuot".*did you mean.*timeout/],
  ['an option without its value', { options: ['-sint'] }, /sint/],
  ['no command', {}, /no command given; usage: proc_box/],
  ['a duration that is none', { options: ['-timeout', 'soon'] }, /-timeout: .*"soon"/],
  ['a negative duration', { options: ['-timeout', '-5s'] }, /-timeout/],
  ['a duration without its unit', { options: ['-sint', '5'] }, /-sint: .*"5"/],
  ['an interval below 10 ms', { options: ['-sint', '1ms'] }, /-sint: .*10 ?ms/],
  ['a size that is none', { options: ['-stdoutlimit', '5 apples'] }, /-stdoutlimit: .*"5 apples"/],
  ['a boolean that is none', { options: ['-debug=maybe'] }, /-debug: .*"maybe"/],
  ['a signal that is none', { options: ['--stop-signal', 'QIUT'] }, /--stop-signal: .*"QIUT".*QUIT/],
  ['JSON that is none', { options: ['-json', '{"a":'] }, /-json/],
  ['JSON that is no object', { options: ['-json', '[1]'] }, /-json.*object/],
  ['an unknown resource', { options: ['--rlimit', 'nofiles=1'] }, /--rlimit: "nofiles" is not a resource.*nofile/],
  [
    'a soft limit above the hard one',
    { options: ['--rlimit', 'nofile=9:1'] },
    /soft limit "9" is above the hard limit "1"/,
  ],
  ['a limit without a value', { options: ['--rlimit', 'nofile'] }, /--rlimit/],
  ['a key that cannot be routed', { options: ['-skey', 'k'.repeat(300)] }, /-skey/],
  ['a variable that does not parse', { env: { PBOX_TIMEOUT: 'soon' } }, /PBOX_TIMEOUT: .*"soon"/],
  [
    'a config file that is not there',
    { options: ['--config', '/no/such/config.yaml'] },
    /--config.*\/no\/such\/config\.yaml.*ENOENT/,
  ],
  [
    'a config file with a wrong key',
    { options: ['--config', file('wrong.yaml', 'timeout: 5s\nsnit: 1s\n')] },
    /wrong\.yaml:2: .*"snit".*sint/,
  ],
  [
    'a config file with a bad value',
    { options: ['--config', file('value.yaml', '# comment\n\ntimeout: soon\n')] },
    /value\.yaml:3: .*"soon"/,
  ],
  ['a config file that is no YAML', { options: ['--config', file('broken.yaml', 'a: [1\nb: }')] }, /broken\.yaml:\d+/],
  [
    'a rascal configuration with a wrong key',
    { options: ['--rascal-config', file('rascal.yaml', 'vhosst: {}\n')] },
    /rascal\.yaml.*vhosst/,
  ],
  ['a URI that does not parse', { options: ['-uri', `amqp://alice:${SECRET}@host:port/`] }, /-uri/],
  ['a URI of another protocol', { options: ['-uri', `http://alice:${SECRET}@host/`] }, /-uri.*amqp/],
  [
    'a second URI that does not parse',
    { options: ['-uri', `amqp://a:${SECRET}@h1,amqp://b:${SECRET}@h2:99999999`] },
    /-uri/,
  ],
  [
    'a URI in a variable that does not parse',
    { options: [], env: { PBOX_URI: `amqp://alice:${SECRET}@host:port/` } },
    /.*/,
  ],
  [
    'a URI file that others may read',
    { options: ['--uri-file', file('open-uri', `amqp://a:${SECRET}@h`, 0o644)] },
    /.*/,
  ],
  ['a control character in an option', { options: ['-timeout', '5\n\x1b[31ms'] }, /-timeout/],
];

for (const [name, options, message] of CASES) {
  t.test(`${name} is one clear line, status 125, and nothing is started`, async (t) => {
    const trace = join(dir, 'started');
    const withUri = options.options?.some((word) => word.startsWith('-uri') || word === '--uri-file') ?? false;
    const command = name === 'no command' || name === 'an option without its value' ? [] : ['touch', trace];
    const result = await run(t, command, { ...options, bare: withUri || options.env?.['PBOX_URI'] !== undefined });
    t.equal(result.code, 125);
    t.match(result.stderr, message);
    t.match(result.stderr, /^proc_box: error: [^\n]+\n$/, 'one line');
    t.notMatch(result.stderr, new RegExp(SECRET), 'without the password');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    t.notMatch(result.stderr, /[\x00-\x09\x0b-\x1f]/, 'without control characters');
    t.equal(result.stdout, '');
    t.notOk(existsSync(trace));
  });
}

t.test('a URI file that others may read says what to do', async (t) => {
  const result = await run(t, ['true'], { bare: true, options: ['--uri-file', join(dir, 'open-uri')] });
  t.match(result.stderr, /--uri-file: .*open-uri has mode 0644.*chmod 600/);
});

t.test('a variable that no option has is a warning, and the job runs', async (t) => {
  const result = await run(t, ['sh', '-c', 'exit 5'], { env: { PBOX_TIMEUOT: '5s' } });
  t.equal(result.code, 5);
  t.match(result.stderr, /warn: the variable "PBOX_TIMEUOT" has no effect.*PBOX_TIMEOUT/);
});

t.test('options after the command belong to the job', async (t) => {
  const result = await run(t, ['echo', '-timeout', 'soon', '--frobnicate']);
  t.strictSame([result.code, result.stdout], [0, '-timeout soon --frobnicate\n']);
  const dashes = await run(t, ['--', 'echo', '--', 'x']);
  t.strictSame([dashes.code, dashes.stdout], [0, '-- x\n']);
});
