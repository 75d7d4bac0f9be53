import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';

/**
 * The layout of agent version 1, which agents and keepers of another installation speak: bodies only grow at their ends, and
 * numbers are never used again. What this test lists may get more at an end; nothing of it may change.
 */

const source = readFileSync(new URL('../../native/src/wire/protocol.h', import.meta.url), 'utf8').replaceAll(
  /\/\/.*$/gm,
  '',
);

const NUMBERS: Readonly<Record<string, string>> = {
  Request:
    'start=1 signal=2 kill=3 suspend=4 resume=5 rlimit=6 stdout_limit=7 cleanup=9 adopt=10 stop=11 pause=12 stdout_mark=13 ' +
    'deadline=14 files=15 sample=16 welcome=17 to_front=18 delivery=19 use_node=20 keep=21 answer=22 leave=25 read_file=23 ' +
    'write_report=24 held_time=26',
  Event:
    'hello=64 started=65 failed=66 exited=67 empty=68 stopped=69 continued=70 stdoutlimit=71 reply=72 witnessed=73 ' +
    'unkillable=74 stdoutmark=75 expired=76 origin=77 agent=78 to_front=79 delivery=80 resumed=81 ask=82 process=83 ' +
    'held=84',
};

/** Their values are their places. */
const PLACES: Readonly<Record<string, string>> = {
  FileOp: 'read write mkdir rmdir rmtree exists writable processes disk mountinfo cgroup status',
  Step: 'pipe fork parent setpgid terminal cgroup stdio rlimit exec adopt',
};

const BODIES: Readonly<Record<string, string>> = {
  FrameHead: 'uint32_t length uint16_t type uint16_t version uint32_t id',
  HelloHead:
    'int32_t pid int32_t guard uint32_t stdout_mode uint32_t terminal uint32_t argc uint32_t settings uint32_t command ' +
    'uint32_t fallback uint32_t failure_open uint32_t debug',
  OriginHead: 'int32_t front uint32_t words uint32_t environment uint32_t children uint32_t resumes',
  ResumedHead:
    'int32_t pid uint32_t main_ended uint32_t reserved uint32_t bytes double started_ms double lost_ms double expired_ms',
  FileReply: 'int32_t error uint32_t mode uint32_t uid',
  StartHead: 'uint32_t command_index uint32_t rlimits uint32_t tasks uint32_t freezer_version uint64_t stdout_max',
  CleanupHead: 'uint32_t id_digits uint32_t min_age_sec',
  RlimitWire: 'int32_t resource uint32_t which uint64_t soft uint64_t hard',
  RlimitReply: 'int32_t changed int32_t failed int32_t error int32_t reserved uint64_t soft uint64_t hard',
  SignalBody: 'int32_t signal uint32_t all',
  DeadlineBody: 'double stop_at_ms double kill_at_ms double grace_ms int32_t signal uint32_t abandon',
  StopBody: 'int32_t signal uint32_t how',
  PauseBody: 'uint32_t reached',
  PauseReply: 'int32_t count uint32_t all_stopped',
  KillBody: 'uint32_t abandon',
  WitnessedBody: 'int32_t signal int32_t pid double at_ms',
  UnkillableHead: 'uint32_t count uint32_t final',
  StartedBody: 'int32_t pid uint32_t reserved double at_ms',
  FailedBody: 'int32_t step int32_t index int32_t error uint32_t reserved',
  UsageBody:
    'uint64_t user_usec uint64_t system_usec uint64_t max_rss_bytes uint64_t read_count uint64_t write_count ' +
    'uint64_t read_bytes uint64_t write_bytes uint64_t stdout_bytes',
  FileResult: 'int32_t error uint32_t size',
  SampleHead: 'uint32_t rows uint32_t flags uint32_t walk_most uint32_t files',
  SampleReply: 'UsageBody usage uint64_t cost_usec int32_t listed uint32_t files uint32_t walked uint32_t reserved',
  ExitedBody: 'int32_t code int32_t signal uint32_t core_dumped uint32_t reserved double at_ms UsageBody usage',
};

/** Bodies whose end is followed by something, so that they cannot grow at all. */
const FIXED: ReadonlySet<string> = new Set([
  ...['FrameHead', 'HelloHead', 'OriginHead', 'ResumedHead', 'FileReply', 'StartHead', 'CleanupHead', 'RlimitWire'],
  ...['UnkillableHead', 'UsageBody', 'FileResult', 'SampleHead', 'SampleReply', 'ExitedBody'],
]);

function bodyOf(kind: 'enum class' | 'struct', name: string): string {
  const found = new RegExp(`${kind} ${name}\\b[^{;]*\\{([^}]*)\\}`).exec(source)?.[1];
  if (found === undefined) throw new Error(`protocol.h has no ${kind} ${name}`);
  return found;
}

/** Enumerators, with their numbers if they are given. */
function enumerators(name: string): string {
  const list = bodyOf('enum class', name).split(',');
  return list
    .map((entry) => entry.replaceAll(/\s/g, ''))
    .join(' ')
    .trim();
}

/** Fields in their order, each with its type. */
function fields(name: string): string {
  const statements = bodyOf('struct', name)
    .split(';')
    .map((statement) => statement.trim());
  return statements
    .filter(Boolean)
    .flatMap((statement) => {
      const [, type = '', names = ''] = /^(\w+)\s+(.*)$/s.exec(statement) ?? [];
      return names.split(',').map((field) => `${type} ${field.trim()}`);
    })
    .join(' ');
}

function beginsWith(t: Test, text: string, frozen: string, name: string): void {
  t.ok(`${text} `.startsWith(`${frozen} `), `${name}: ${text}`);
}

t.test('numbers of version 1 keep their meaning, and none is used twice', async (t) => {
  for (const [name, frozen] of Object.entries(NUMBERS)) {
    const now = enumerators(name).split(' ');
    for (const entry of frozen.split(' ')) t.ok(now.includes(entry), `${name}::${entry}`);
    const numbers = now.map((entry) => entry.split('=')[1]);
    t.equal(new Set(numbers).size, numbers.length, name);
    t.ok(numbers.every(Boolean), `${name}: each number is written down`);
  }
  for (const [name, frozen] of Object.entries(PLACES))
    beginsWith(t, enumerators(name).replaceAll('=0', ''), frozen, name);
});

t.test('bodies of version 1 grow at their ends only', async (t) => {
  for (const [name, frozen] of Object.entries(BODIES)) {
    if (FIXED.has(name)) t.equal(fields(name), frozen, `${name}: something follows it, so it does not grow`);
    else beginsWith(t, fields(name), frozen, name);
  }
});
