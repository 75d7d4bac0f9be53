import t from 'tap';
import { endsOf, groupBy, groupOf, latestRuns, percentOf, ranMs } from '../../../src/observe/report/group.js';
import { facts, GIB, HOUR } from '../../fixtures/facts.js';

const at = Date.UTC(2026, 10, 30);

t.test(
  'boxes at the same time ask for their cores together, and one after the other for those of the largest',
  async (t) => {
    const together = groupOf('x', [
      facts({ atMs: at, cores: 4, cpuSec: 3600 }),
      facts({ atMs: at, cores: 4, cpuSec: 7200 }),
    ]);
    t.match(together, { coresAsked: 8, coresUsed: 3, cpuPercent: 37.5, wallMs: HOUR });
    const inTurn = groupOf('x', [facts({ atMs: at, cores: 4 }), facts({ atMs: at + HOUR, cores: 4 })]);
    t.match(inTurn, { coresAsked: 4, coresUsed: 1, cpuPercent: 25, wallMs: 2 * HOUR });
    const withGap = groupOf('x', [facts({ atMs: at, cores: 1 }), facts({ atMs: at + 9 * HOUR, cores: 1 })]);
    t.match(withGap, { coresUsed: 1, wallMs: 10 * HOUR }, 'nothing runs in between, and nothing is idle');
  },
);

t.test('the batch script that waits for its steps asks for no cores of its own', async (t) => {
  const batch = facts({ cores: 16, cpuSec: 1, identity: { step: 'batch' } });
  const step = facts({ cores: 16, cpuSec: 16 * 3600, identity: { step: '0' } });
  t.match(groupOf('x', [batch, step]), { coresAsked: 16, boxes: 2 });
  t.equal(Math.round(groupOf('x', [batch, step]).cpuPercent!), 100);
  t.match(groupOf('x', [batch]), { coresAsked: 16 }, 'alone it does');
});

t.test('without a limit there is no share', async (t) => {
  t.match(groupOf('x', [facts({ cores: null }), facts()]), { coresAsked: null, cpuPercent: null, coresUsed: 2 });
  t.equal(percentOf(5, null), null);
  t.equal(percentOf(5, 0), null);
  t.match(groupOf('x', [facts({ elapsedMs: 0, cpuSec: 0, suspendedMs: null })]), { coresUsed: 0, cpuPercent: null });
});

t.test('memory is that of the box that came closest to its limit', async (t) => {
  const group = groupOf('x', [
    facts({ memoryPeakBytes: 50 * GIB, memoryLimitBytes: 100 * GIB }),
    facts({ memoryPeakBytes: 7 * GIB, memoryLimitBytes: 8 * GIB }),
    facts({ memoryPeakBytes: 99 * GIB, memoryLimitBytes: null }),
  ]);
  t.match(group, {
    memoryPeakBytes: 7 * GIB,
    memoryLimitBytes: 8 * GIB,
    memoryPercent: 87.5,
    memoryPeakSumBytes: 156 * GIB,
  });
});

t.test('only the last run of a job that was restarted counts', async (t) => {
  const runs = [0, 1, 1].map((restart, index) => facts({ identity: { restart, box: `b${index}` } }));
  const other = facts({ identity: { job: '1234_2', restart: 0 } });
  t.strictSame(latestRuns([...runs, other]), [runs[1], runs[2], other]);
});

t.test('ends, the most frequent first', async (t) => {
  const ends = endsOf([
    facts(),
    facts({ reason: 'oom', exitStatus: 137, atMs: at + 5 }),
    facts(),
    facts({ reason: 'oom', exitStatus: 137, atMs: at, why: 'first' }),
  ]);
  t.match(ends, [
    { reason: 'exited', boxes: 2 },
    { reason: 'oom', boxes: 2, why: 'first' },
  ]);
});

t.test('suspension is no time for CPUs', async (t) => {
  t.equal(ranMs(facts({ suspendedMs: HOUR / 2 })), HOUR / 2);
  t.equal(ranMs(facts({ suspendedMs: 2 * HOUR })), 0);
});

t.test('items by key', async (t) =>
  t.strictSame(
    [...groupBy([1, 2, 3], (n) => `${n % 2}`)],
    [
      ['1', [1, 3]],
      ['0', [2]],
    ],
  ),
);
