import t from 'tap';
import { rowOf } from '../../src/agent/list.js';
import type { Box } from '../../src/box/box.js';

function boxWith(more: Record<string, unknown>): Box {
  const identity = { box: 'b1', job: '12', step: '0', task: null, user: 'alice' };
  return {
    pid: 42,
    status: () => ({
      identity,
      state: 'running',
      pid: 42,
      executable: '/usr/bin/app',
      elapsed_ms: 5_000,
      timer: { limit_ms: 60_000, elapsed_ms: 4_000 },
      limits: {},
      sample: null,
      ...more,
    }),
  } as unknown as Box;
}

t.test('what is known of a box, with null for what is not', async (t) => {
  t.strictSame(rowOf(boxWith({})), [
    {
      box: 'b1',
      job: '12',
      step: '0',
      task: null,
      user: 'alice',
      state: 'running',
      pid: 42,
      elapsed_ms: 5_000,
      limit_ms: 60_000,
      used_ms: 4_000,
      memory: null,
      memory_peak: null,
      memory_limit: null,
      cpu_percent: null,
      command: '/usr/bin/app',
    },
  ]);
  const sample = { Memory: { rss: 10 }, MemoryPeak: { rss: 20 }, CPUPercent: 99.5 };
  t.match(rowOf(boxWith({ sample, limits: { memory: { value: 30 } } })), [
    { memory: 10, memory_peak: 20, memory_limit: 30, cpu_percent: 99.5 },
  ]);
  t.match(rowOf(boxWith({ limits: { memory: { value: 'unlimited' } } })), [{ memory_limit: null }]);
});

t.test('a box whose job has not started has no row', async (t) => {
  t.strictSame(rowOf(undefined), []);
  t.strictSame(rowOf({ ...boxWith({}), pid: 0 } as Box), []);
});
