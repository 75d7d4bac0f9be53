import t from 'tap';
import type { Box } from '../../src/box/box.js';
import type { BoxEnd } from '../../src/box/box-options.js';
import type { LimitStatus } from '../../src/model/sample.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { endLines, startLine } from '../../src/supervise/lines.js';
import { jobIdentity } from '../fixtures/light.js';
import { endedByTimeout, identity } from '../fixtures/samples.js';

const spec = (more: Partial<BoxSpec> = {}) => ({ report: false, quiet: false, ...more }) as unknown as BoxSpec;
const end = (more: object = {}) =>
  ({ outcome: { reason: 'exited', by: null }, elapsedMs: 1234, why: null, report: null, ...more }) as unknown as BoxEnd;

t.test('the end is told by why it came, and how long the job ran', async (t) => {
  const elapsed = 'Task elapsed time: 1.23 seconds.\n';
  t.equal(endLines(end(), spec()), elapsed);
  t.equal(endLines(end({ why: 'time\nlimit' }), spec()), `proc_box: time\\nlimit\n${elapsed}`, 'each on one line');
  const died = end({ why: 'the keeper has died', outcome: { reason: 'failed', by: null } });
  t.equal(endLines(died, spec()), elapsed, 'which has been logged as an error');
});

t.test('with --quiet only what the box itself has done is told', async (t) => {
  const quiet = spec({ quiet: true });
  t.equal(endLines(end({ why: 'w' }), quiet), '');
  t.equal(endLines(end({ why: 'w', outcome: { reason: 'stopped', by: { via: 'signal' } } }), quiet), '');
  for (const via of ['limit', 'amqp'])
    t.equal(endLines(end({ why: 'w', outcome: { reason: 'timeout', by: { via } } }), quiet), 'proc_box: w\n', via);
});

t.test('the report comes first, where it was asked for', async (t) => {
  const head = { version: 1, sequence: 1, time: '2026-11-23T16:42:42.333Z', identity, state: 'ended' } as const;
  const one = end({ report: { ...head, ...endedByTimeout } });
  t.match(endLines(one, spec({ report: true })), /^[\s\S]+\nTask elapsed time: 1\.23 seconds\.\n$/);
  t.equal(endLines(one, spec()), 'Task elapsed time: 1.23 seconds.\n');
});

t.test('the start names the job, its box and the limits in force', async (t) => {
  const limits = new Map<string, LimitStatus>([
    ['timeout', { value: 600_000, unit: 'ms', enforcement: 'timer' }],
    ['memory', { value: 2 ** 30, unit: 'bytes', enforcement: 'cgroup2' }],
    ['pids', { value: 'unlimited', unit: 'count', enforcement: 'none' }],
  ]);
  const box = (more: Parameters<typeof jobIdentity>[0]) =>
    ({ identity: jobIdentity(more), pid: 42, limits }) as unknown as Box;
  t.equal(
    startLine(
      box({ job: '7', step: '0', task: '3', box: 'b' }),
      spec({ timeoutMs: 600_000, timeoutSource: 'default' }),
    ),
    'job 7 step 0 task 3 started in box b, pid 42: wall clock limit 10 min (default), memory=1 GiB (cgroup2)',
  );
  t.equal(
    startLine(box({ job: '7', step: null, box: 'b' }), spec({ timeoutMs: 0, timeoutSource: 'scheduler' })),
    'job 7 started in box b, pid 42: no wall clock limit (scheduler), memory=1 GiB (cgroup2)',
  );
});
