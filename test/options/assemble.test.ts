import { createRequire } from 'node:module';
import t, { type Test } from 'tap';
import { SpecError } from '../../src/errors.js';
import { assembleSpec, type SpecInput } from '../../src/options/assemble.js';
import type { FileContent } from '../../src/options/files.js';
import type { BoxSpec } from '../../src/options/spec.js';

const DEFAULT_FILE = '/etc/proc_box/config.yaml';
const UID = 1000;

interface Given extends Partial<Omit<SpecInput, 'files' | 'command'>> {
  /** The command is the last word, or follows `--`. */
  words?: readonly string[];
  contents?: Readonly<Record<string, string | Partial<FileContent> | NodeJS.ErrnoException>>;
  /** Paths that were read. */
  reads?: string[];
}

const assemble = ({ words: typed = ['x'], contents = {}, reads = [], ...rest }: Given) => {
  const separator = typed.indexOf('--');
  const [words, command] =
    separator < 0 ? [typed.slice(0, -1), typed.slice(-1)] : [typed.slice(0, separator), typed.slice(separator + 1)];
  return assembleSpec({
    words,
    command,
    settings: [],
    deadline: { scheduler: 'none', remainingMs: null },
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    files: {
      uid: UID,
      read(path) {
        reads.push(path);
        const found = contents[path] ?? Object.assign(new Error('absent'), { code: 'ENOENT' });
        if (found instanceof Error) return found.code ?? '';
        return { text: '', mode: 0o600, uid: UID, ...(typeof found === 'string' ? { text: found } : found) };
      },
    },
    ...rest,
  });
};

const specOf = (given: Given): BoxSpec => assemble(given).spec;

const refuses = (t: Test, given: Given, message: string) =>
  t.throws(() => assemble(given), new SpecError(message), message);

t.test('without options everything is as the contract says', async (t) => {
  const reads: string[] = [];
  t.strictSame(specOf({ words: ['--', 'ls', '-l'], reads }), {
    uris: ['amqp://guest:guest@localhost:5672'],
    uriAsked: false,
    exchange: 'amq.topic',
    replyExchange: '',
    routingKeys: ['proc_box.remote_control'],
    statsKey: 'proc_box.stats',
    eventsKey: 'proc_box.events',
    controlAuth: 'broker',
    controlRules: [{ users: ['{owner}'], commands: ['*'] }],
    controlKeys: undefined,
    auditLog: undefined,
    sampleIntervalMs: 60_000,
    timeoutMs: 600_000,
    timeoutSource: 'default',
    timeoutAsked: false,
    near: [80, 95],
    warnSignal: undefined,
    limitOrigins: {},
    limitSources: {},
    stdoutMaxBytes: 100 * 2 ** 30,
    stdoutAsked: false,
    messageTimeoutMs: 30_000,
    flushMs: 3000,
    userData: null,
    rlimits: [],
    stopSignal: 3,
    endSignal: 15,
    graceMs: 10_000,
    graceAsked: false,
    linger: false,
    argv0: undefined,
    reraise: false,
    report: false,
    rows: 10,
    pss: false,
    rowsIntervalMs: 60_000,
    resources: {},
    cgroup: 'auto',
    enforce: 'best-effort',
    enforceAsked: false,
    oomGroup: true,
    rascalConfig: undefined,
    outboxMaxMessages: 100_000,
    outboxMaxBytes: 64 * 2 ** 20,
    spoolDir: undefined,
    spoolMaxBytes: 256 * 2 ** 20,
    spoolMaxAgeMs: 168 * 3_600_000,
    reportFile: undefined,
    debug: false,
    nowarn: false,
    quiet: false,
    command: ['ls', '-l'],
    argumentCount: 1,
  });
  t.strictSame(reads, [DEFAULT_FILE], 'one file is looked for');
});

t.test('the command line counts before the variable, that before the file, that before the default', async (t) => {
  const contents = { [DEFAULT_FILE]: 'sint: 3s\n', '/mine': 'sint: 4s\n' };
  t.equal(specOf({ contents }).sampleIntervalMs, 3000);
  t.equal(specOf({ contents, settings: ['PBOX_CONFIG=/mine'] }).sampleIntervalMs, 4000);
  t.equal(
    specOf({ contents, settings: ['PBOX_CONFIG=/mine'], words: ['-config', DEFAULT_FILE, 'x'] }).sampleIntervalMs,
    3000,
  );
  t.equal(specOf({ contents, settings: ['PBOX_SINT=2s'] }).sampleIntervalMs, 2000);
  t.equal(specOf({ contents, settings: ['PBOX_SINT=2s'], words: ['-sint', '1s', 'x'] }).sampleIntervalMs, 1000);
  t.equal(
    specOf({ words: ['-sint', '1s', '-sint', '5s', 'x'] }).sampleIntervalMs,
    5000,
    'the last one of a source counts',
  );
  t.equal(specOf({ contents, words: ['--config', 'none', 'x'] }).sampleIntervalMs, 60_000);
});

t.test('rlimits of all sources are merged by resource', async (t) => {
  const rlimits = specOf({
    contents: { [DEFAULT_FILE]: 'rlimit: {nofile: 1, core: 2, cpu: 3}' },
    settings: ['PBOX_RLIMIT=nofile=10:20,core=20'],
    words: ['--rlimit', 'nofile=:100', '--rlimit', 'nproc=400', 'x'],
  }).rlimits;
  t.strictSame(Object.fromEntries(rlimits.map(({ name, ...limit }) => [name, limit])), {
    nofile: { hard: 100 },
    core: { soft: 20, hard: 20 },
    cpu: { soft: 3, hard: 3 },
    nproc: { soft: 400, hard: 400 },
  });
});

t.test(
  'the front end has answered help and version; another value of theirs is an option like any other',
  async (t) => {
    t.strictSame(specOf({ words: ['-version=false', 'x'] }).command, ['x']);
    refuses(
      t,
      { words: ['-version=maybe', 'x'] },
      '-version: "maybe" is neither true nor false: expected 1, t, true, 0, f or false, for example "true"',
    );
  },
);

t.test('a wrong value names its source, also where a stronger source overrides it', async (t) => {
  const missing = '"5" has no unit: expected a duration, for example "5s"';
  refuses(t, { words: ['-sint', '5', 'x'] }, `-sint: ${missing}`);
  refuses(t, { settings: ['PBOX_SINT=5'], words: ['-sint', '5s', 'x'] }, `PBOX_SINT: ${missing}`);
  refuses(t, { contents: { [DEFAULT_FILE]: '\nsint: 5' } }, `${DEFAULT_FILE}:2: sint: ${missing}`);
  refuses(
    t,
    { contents: { [DEFAULT_FILE]: 'debug: yes' } },
    `${DEFAULT_FILE}:1: debug: "yes" is neither true nor false: expected 1, t, true, 0, f or false, for example "true"`,
  );
  refuses(t, { words: ['-rows=1001', 'x'] }, '-rows: "1001" is not a number from 0 to 1000: for example "10"');
  refuses(t, { words: [] }, 'no command given; usage: proc_box [options] [--] <command> [arguments]');
});

t.test('the default config file may be absent, a named one may not', async (t) => {
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  refuses(
    t,
    { words: ['-config', '/no', 'x'] },
    '-config: read /no: ENOENT; give the path of a file that this user may read',
  );
  refuses(
    t,
    { settings: ['PBOX_CONFIG=/no'] },
    'PBOX_CONFIG: read /no: ENOENT; give the path of a file that this user may read',
  );
  refuses(t, { words: ['-config=', 'x'] }, '-config: "" is not a path: for example "/etc/proc_box/uri"');
  refuses(
    t,
    { contents: { [DEFAULT_FILE]: denied } },
    `read ${DEFAULT_FILE}: EACCES; it may lock options for every user, so proc_box cannot go on without it: ask the administrator to make it a readable file`,
  );
});

t.test('routing keys are one, or a list where asked for', async (t) => {
  t.strictSame(specOf({ words: ['-rkey', 'a,b', 'x'] }).routingKeys, ['a,b']);
  t.strictSame(specOf({ words: ['-rkey', 'a, b,a', '-multiRmtKey', 'x'] }).routingKeys, ['a', 'b']);
  t.strictSame(specOf({ words: ['-rkey', 'a*b.c#', 'x'] }).routingKeys, ['a*b.c#'], 'no wildcards within a word');
  for (const key of ['#', '*', 'jobs.*', 'jobs.#', '*.x', 'a.#.b'])
    for (const words of [
      ['-rkey', key, 'x'],
      ['-multiRmtKey', '-rkey', `a,${key}`, 'x'],
    ])
      t.throws(() => specOf({ words }), { message: /rkey: ".*" has a wildcard, but commands need an exact key/ }, key);
  refuses(
    t,
    { words: ['-rkey', 'a,,b', '-multiRmtKey', 'x'] },
    '-rkey: "" is not a name of 1 to 127 printable bytes: for example "proc_box.stats"',
  );
});

t.test('a scheduler replaces the default wall clock limit, and nothing else does', async (t) => {
  const limit = (given: Given) => {
    const { timeoutMs, timeoutSource } = specOf(given);
    return [timeoutMs, timeoutSource];
  };
  t.strictSame(limit({ deadline: { scheduler: 'slurm', remainingMs: 5000 } }), [4500, 'scheduler']);
  t.strictSame(limit({ deadline: { scheduler: 'slurm', remainingMs: 3_600_000 } }), [3_595_000, 'scheduler']);
  t.strictSame(limit({ deadline: { scheduler: 'pbs', remainingMs: null } }), [0, 'scheduler']);
  t.strictSame(limit({ words: ['--timeout', 'scheduler', 'x'] }), [0, 'scheduler'], 'outside of a job');
  for (const [words, asked] of [
    [['x'], false],
    [['--timeout', 'scheduler', 'x'], true],
  ] as const) {
    const { timeoutAsked, timeoutMs } = specOf({ words, deadline: { scheduler: 'slurm', remainingMs: 50_000 } });
    t.strictSame([timeoutAsked, timeoutMs], [asked, 45_000]);
  }
  t.strictSame(limit({ deadline: { scheduler: 'slurm', remainingMs: 5000 }, settings: ['PBOX_TIMEOUT=1h'] }), [
    3_600_000,
    'environment',
  ]);
  t.strictSame(limit({ words: ['-timeout', '0', 'x'] }), [0, 'command line']);
  t.strictSame(limit({ words: ['-timeout', '8784h', 'x'] }), [31_622_400_000, 'command line']);
  t.strictSame(limit({ contents: { [DEFAULT_FILE]: 'timeout: 8h' } }), [28_800_000, 'config file']);
});

t.test("a URI file of each user's own may be missing where a config file names it, and nowhere else", async (t) => {
  const site = { [DEFAULT_FILE]: 'uri-file: ~/.proc_box_uri' };
  t.match(assemble({ contents: site }), {
    spec: { uris: [] },
    warnings: [/config\.yaml:1.*: ~\/\.proc_box_uri does not exist, so this box runs without a broker/],
  });
  const own = assemble({ contents: { ...site, '~/.proc_box_uri': 'amqp://u:p@h' } });
  t.match(own, { spec: { uris: ['amqp://u:p@h:5672'] } });
  t.strictSame(own.warnings, []);
  for (const [given, message] of [
    [{ contents: { ...site, '~/.proc_box_uri': { mode: 0o644 } } }, /has mode 0644/],
    [{ contents: { [DEFAULT_FILE]: 'uri-file: /etc/uri' } }, /ENOENT/],
    [{ words: ['--uri-file', '~/.proc_box_uri', 'x'] }, /ENOENT/],
  ] as const)
    t.throws(() => assemble(given), { message });
});

t.test('a URI file must be private, and the stronger source counts', async (t) => {
  const contents = { '/u': '  amqp://u:p@h/v\n', [DEFAULT_FILE]: 'uri: amqp://site\n' };
  t.strictSame(specOf({ contents, words: ['--uri-file', '/u', 'x'] }).uris, ['amqp://u:p@h:5672/v']);
  t.strictSame(
    specOf({ contents, settings: ['PBOX_URI_FILE=/u'], words: ['-uri', 'none', 'x'] }).uris,
    [],
    'the file is not even read',
  );
  t.strictSame(specOf({ contents: { '/u': { text: 'none', uid: 0 } }, words: ['--uri-file', '/u', 'x'] }).uris, []);
  refuses(
    t,
    { words: ['--uri-file', '/u', '-uri', 'none', 'x'] },
    '--uri-file and -uri are both given: give one of them',
  );
  refuses(
    t,
    { settings: ['PBOX_URI_FILE=/u', 'PBOX_URI=none'] },
    'PBOX_URI_FILE and PBOX_URI are both given: give one of them',
  );
  refuses(
    t,
    { contents: { '/u': { mode: 0o640 } }, words: ['--uri-file', '/u', 'x'] },
    '--uri-file: /u has mode 0640, so others may access its secret; run: chmod 600 /u',
  );
  refuses(
    t,
    { contents: { "/a 'b": { mode: 0o604 } }, words: ['--uri-file', "/a 'b", 'x'] },
    "--uri-file: /a 'b has mode 0604, so others may access its secret; run: chmod 600 '/a '\\''b'",
  );
  refuses(
    t,
    { contents: { '~/u': { mode: 0o640 } }, words: ['--uri-file', '~/u', 'x'] },
    '--uri-file: ~/u has mode 0640, so others may access its secret; run: chmod 600 ~/u',
  );
  refuses(
    t,
    { contents: { '~/u v': { mode: 0o640 } }, words: ['--uri-file', '~/u v', 'x'] },
    "--uri-file: ~/u v has mode 0640, so others may access its secret; run: chmod 600 ~/'u v'",
  );
  refuses(
    t,
    { contents: { '/u': { uid: 7 } }, words: ['--uri-file', '/u', 'x'] },
    '--uri-file: /u belongs to another user (uid 7): use a file of your own with mode 0600',
  );
  refuses(
    t,
    { words: ['--uri-file', '/u', 'x'] },
    '--uri-file: read /u: ENOENT; give the path of a file that this user may read',
  );
  refuses(
    t,
    { contents: { '/u': 'amqp://u:s3cret' }, words: ['--uri-file', '/u', 'x'] },
    '--uri-file: /u: the URI has a host that is not <name>:<port> (write IPv6 addresses in brackets): for example "amqp://user:password@host:5672/vhost"',
  );
});

t.test('settings of rascal are read from their file', async (t) => {
  t.strictSame(
    specOf({ contents: { '/r': 'connection: {options: {heartbeat: 5}}' }, words: ['--rascal-config', '/r', 'x'] })
      .rascalConfig,
    {
      connection: { options: { heartbeat: 5 } },
    },
  );
});

t.test('every option reaches its field', async (t) => {
  const spec = specOf({
    words: [
      ...[
        '-uri',
        'none',
        '-exchange',
        'e',
        '-skey',
        's',
        '-ekey',
        'v',
        '-stdoutlimit',
        '1K',
        '-msgtimeout',
        '0',
        '-flush',
        '1s',
      ],
      ...[
        '-json',
        '{"a":1}',
        '-stop-signal',
        'TERM',
        '-grace',
        '1s',
        '-rows',
        '0',
        '-outbox-messages',
        '1',
        '-outbox-bytes',
        '2',
      ],
      ...['-argv0', '-bash', '-linger', '-reraise', '-report', '-pss', '-debug', '-nowarn', '-runanyway', '--', '-x'],
    ],
  });
  t.match(spec, {
    uris: [],
    exchange: 'e',
    statsKey: 's',
    eventsKey: 'v',
    stdoutMaxBytes: 1024,
    messageTimeoutMs: 0,
    flushMs: 1000,
    userData: { a: 1 },
    stopSignal: 15,
    graceMs: 1000,
    rows: 0,
    outboxMaxMessages: 1,
    outboxMaxBytes: 2,
    linger: true,
    argv0: '-bash',
    reraise: true,
    report: true,
    pss: true,
    debug: true,
    nowarn: true,
    command: ['-x'],
  });
});

t.test('warnings come back, and the spec is frozen', async (t) => {
  const result = assemble({ settings: ['PBOX_SNIT=1'] });
  t.match(result, {
    warnings: ['the variable "PBOX_SNIT" has no effect: no option is read from it; did you mean "PBOX_SINT"?'],
  });
  const spec = specOf({ words: ['-json', '{"a":{}}', 'x'] });
  t.ok(Object.isFrozen(spec) && Object.isFrozen(spec.uris) && Object.isFrozen((spec.userData as { a: object }).a));
});
