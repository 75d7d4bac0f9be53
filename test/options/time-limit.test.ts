import t from 'tap';
import type { Source } from '../../src/options/spec.js';
import { type Deadline, stopBeforeMs, type TimeLimit, timeLimit } from '../../src/options/time-limit.js';

t.test("the limit is the user's, the job's own end, or the default", async (t) => {
  const outside: Deadline = { scheduler: 'none', remainingMs: null };
  const unknown: Deadline = { scheduler: 'slurm', remainingMs: null };
  const known: Deadline = { scheduler: 'slurm', remainingMs: 3_600_000 };
  const scheduler = (limitMs: number, asked: boolean): TimeLimit => ({ limitMs, source: 'scheduler', asked });
  const cases: readonly (readonly [number | 'scheduler', Source, Deadline, TimeLimit])[] = [
    [600_000, 'default', outside, { limitMs: 600_000, source: 'default', asked: false }],
    [600_000, 'default', unknown, scheduler(0, false)],
    [600_000, 'default', known, scheduler(3_595_000, false)],
    [60_000, 'command line', known, { limitMs: 60_000, source: 'command line', asked: false }],
    [0, 'config file', known, { limitMs: 0, source: 'config file', asked: false }],
    ['scheduler', 'command line', known, scheduler(3_595_000, true)],
    ['scheduler', 'environment', unknown, scheduler(0, true)],
    ['scheduler', 'command line', outside, scheduler(0, true)],
  ];
  for (const [value, source, deadline, expected] of cases) {
    const name = `${value} by ${source} in ${deadline.scheduler}, ${deadline.remainingMs} ms left`;
    t.strictSame(timeLimit({ value, source, origin: '--timeout' }, deadline), expected, name);
  }
});

t.test('a box stops itself a little before its scheduler does', async (t) => {
  const cases = [
    [3_600_000, 3_595_000],
    [50_000, 45_000],
    [10_000, 9_000],
    [10, 9],
    [0, 1],
    [-5_000, 1],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ] as const;
  for (const [endMs, stopMs] of cases) t.equal(stopBeforeMs(endMs), stopMs, `${endMs}`);
});
