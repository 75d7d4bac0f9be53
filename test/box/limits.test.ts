import t from 'tap';
import { initialLimits, rlimitStatus, rowOf, stdoutStatus, timeoutStatus } from '../../src/box/limits.js';
import { RLIMITS } from '../../src/options/rlimits.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { LIMITS } from '../../src/options/table/limits.js';

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

for (const [name, message] of [
  ['nofiles', /"nofiles" is not a limit: expected one of timeout, stdoutlimit, memory, .*; did you mean "nofile"\?/],
  ['constructor', /is not a limit/],
] as const) {
  t.throws(() => rowOf(LIMITS, name), { name: 'SpecError', message }, `set_limit ${name} is refused`);
}
t.equal(rowOf(LIMITS, 'memory'), LIMITS.memory);

t.test('knows every resource', async (t) => {
  t.equal(Object.keys(RLIMITS).length, 16);
});
