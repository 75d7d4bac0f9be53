import t from 'tap';
import { v2Usage } from '../../src/cgroup/v2-usage.js';
import { readNow } from '../fixtures/at-once.js';
import { cpu, io, memory, pids, V2_FILES } from '../fixtures/cgroup-files.js';

const ALL: ReadonlySet<string> = new Set(['memory', 'cpu', 'io', 'pids']);

t.test('the files of a group become figures in the units of their names', async (t) => {
  const usage = v2Usage({ dir: t.testdir(V2_FILES), controllers: ALL }, readNow);
  t.same(usage, { memory, cpu: { ...cpu, systemUsec: 190023 }, io, pids });
});

t.test(
  'older kernels have less: no peaks, no sum of kernel memory, no throttling without the controller',
  async (t) => {
    const { 'memory.peak': _, 'pids.peak': __, 'memory.swap.current': ___, ...files } = V2_FILES;
    const dir = t.testdir({
      ...files,
      'memory.stat': V2_FILES['memory.stat'].replace('kernel 1310720\n', ''),
      'cpu.stat': 'usage_usec 5\nuser_usec 3\nsystem_usec 2\n',
    });
    const usage = v2Usage({ dir, controllers: ALL }, readNow);
    t.match(usage.memory, { peakBytes: null, swapBytes: null, kernelBytes: 300 + 98304 + 425984 + 8192 });
    t.match(usage.cpu, { usageUsec: 5, periods: null, throttledPeriods: null, throttledUsec: null });
    t.match(usage.pids, { peak: null });
  },
);

t.test('a group kill counts the process that the kernel chose once', async (t) => {
  const cases = [
    ['oom 3\noom_kill 3\noom_group_kill 1\n', 2],
    ['oom 3\noom_kill 3\n', 3],
    ['oom 1\noom_kill 1\noom_group_kill 1\n', 1],
    ['oom 1\noom_kill 0\noom_group_kill 1\n', 0],
    ['oom 1\n', null],
  ] as const;
  for (const [events, kills] of cases) {
    const dir = t.testdir({ ...V2_FILES, 'memory.events': events });
    t.match(v2Usage({ dir, controllers: ALL }, readNow).memory, { oomKills: kills }, events);
  }
  const { 'memory.events': _, ...files } = V2_FILES;
  t.match(v2Usage({ dir: t.testdir(files), controllers: ALL }, readNow).memory, {
    oomEvents: null,
    oomKills: null,
  });
});

t.test('a controller that is not there, or disappears, is null and throws nothing', async (t) => {
  const dir = t.testdir({
    'cpu.stat': V2_FILES['cpu.stat'],
    odd: { 'cpu.stat': 'nr_periods 1\n', 'memory.current': '7\n' },
  });
  const none = { memory: null, cpu: null, io: null, pids: null };
  t.match(v2Usage({ dir, controllers: new Set() }, readNow), { ...none, cpu: { usageUsec: 6110123 } });
  t.same(v2Usage({ dir: `${dir}/gone`, controllers: ALL }, readNow), none);
  t.same(v2Usage({ dir: `${dir}/odd`, controllers: ALL }, readNow), none, 'half of what is needed is nothing');
});
