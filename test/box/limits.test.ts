import t from 'tap';
import { initialLimits, parseLimitChange, rlimitStatus, stdoutStatus, timeoutStatus } from '../../src/box/limits.js';
import { SpecError } from '../../src/errors.js';
import { RLIMITS } from '../../src/options/rlimits.js';
import type { BoxSpec } from '../../src/options/spec.js';

const spec = (more: Partial<BoxSpec> = {}) =>
  ({ timeoutMs: 600_000, timeoutSource: 'default', stdoutMaxBytes: 4096, rlimits: [], ...more }) as BoxSpec;

t.test('tells every limit of the start with its unit and enforcement', async (t) => {
  const limits = initialLimits(
    spec({
      rlimits: [
        { name: 'nofile', soft: 64, hard: 128 },
        { name: 'cpu', soft: 5 },
        { name: 'core', hard: 'unlimited' },
      ],
    }),
    'pipe',
  );
  t.strictSame(Object.fromEntries(limits), {
    timeout: { value: 600_000, unit: 'ms', enforcement: 'timer', source: 'default' },
    stdoutlimit: { value: 4096, unit: 'bytes', enforcement: 'splice' },
    nofile: { value: 64, hard: 128, unit: 'count', enforcement: 'rlimit' },
    cpu: { value: 5, unit: 'seconds', enforcement: 'rlimit' },
    core: { value: 'unlimited', hard: 'unlimited', unit: 'bytes', enforcement: 'rlimit' },
  });
});

t.test('0 means none', async (t) => {
  t.equal(timeoutStatus(0, 'environment').value, 'unlimited');
  t.equal(stdoutStatus(0, 'file').value, 'unlimited');
});

for (const [mode, enforcement] of [
  ['pipe', 'splice'],
  ['file', 'offset'],
  ['terminal', 'none'],
  ['other', 'none'],
] as const) {
  t.equal(stdoutStatus(1, mode).enforcement, enforcement, `stdout on a ${mode} is held by ${enforcement}`);
}

for (const [name, unit] of [
  ['as', 'bytes'],
  ['core', 'bytes'],
  ['cpu', 'seconds'],
  ['data', 'bytes'],
  ['fsize', 'bytes'],
  ['locks', 'count'],
  ['memlock', 'bytes'],
  ['msgqueue', 'bytes'],
  ['nice', 'nice'],
  ['nofile', 'count'],
  ['nproc', 'count'],
  ['rss', 'bytes'],
  ['rtprio', 'priority'],
  ['rttime', 'usec'],
  ['sigpending', 'count'],
  ['stack', 'bytes'],
] as const) {
  t.equal(rlimitStatus(name, { soft: 1, hard: 2 }).unit, unit, `${name} is in ${unit}`);
}

for (const [name, value, change] of [
  ['timeout', '1h', { kind: 'timeout', limitMs: 3_600_000 }],
  ['timeout', '0', { kind: 'timeout', limitMs: 0 }],
  ['stdoutlimit', '1.5GiB', { kind: 'stdoutlimit', maxBytes: 1.5 * 2 ** 30 }],
  ['stdoutlimit', '0', { kind: 'stdoutlimit', maxBytes: 0 }],
] as const) {
  t.strictSame(parseLimitChange(name, value), change, `set_limit ${name} ${value}`);
}

for (const [name, value, message] of [
  [
    'nofiles',
    '1',
    /"nofiles" is not a limit: expected one of timeout, stdoutlimit, memory, .*; did you mean "nofile"\?/,
  ],
  ['constructor', '1', /is not a limit/],
  ['timeout', 'soon', /soon/],
  ['timeout', '-1s', /-1s/],
  ['stdoutlimit', '-5', /-5/],
] as const) {
  t.throws(() => parseLimitChange(name, value), { message }, `set_limit ${name} ${value} is refused`);
  t.throws(() => parseLimitChange(name, value), SpecError);
}

t.test('knows every resource', async (t) => {
  t.equal(Object.keys(RLIMITS).length, 16);
});
