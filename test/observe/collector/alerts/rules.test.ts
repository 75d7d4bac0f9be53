import t from 'tap';
import { causesOf, idleOf } from '../../../../src/observe/collector/alerts/rules.js';
import { boxWith, exitOf, runningBox, START_MS, sampleOf } from '../../../fixtures/collected.js';

const LIMITS = { memoryPercent: 95, cpuPercent: 5, cpuWindowMs: 60_000, timePercent: 90 };
const names = (box: ReturnType<typeof runningBox>, nowMs = START_MS, hears = true, limits = LIMITS) =>
  causesOf(box, limits, nowMs, hears).map(({ alert }) => alert);
const memory = (held: number, current: number, limit: number) => ({
  MemoryCgroup: { current, swap: 0 },
  MemoryDetail: { source: 'cgroup', anon: held, file: current - held, shmem: 0, kernel: 0 },
  Limits: { memory: { value: limit, unit: 'bytes' } },
});

t.test('memory is near its limit if the kernel cannot take it back', async (t) => {
  t.strictSame(names(runningBox({ box: 'b' }, memory(96, 99, 100))), ['memory_near_limit']);
  t.strictSame(names(runningBox({ box: 'b' }, memory(50, 100, 100))), [], 'page cache fills any limit');
  t.strictSame(
    names(runningBox({ box: 'b' }, memory(96, 99, 100)), START_MS, true, { ...LIMITS, memoryPercent: 0 }),
    [],
  );
  t.match(
    causesOf(runningBox({ box: 'b' }, memory(96e6, 99e6, 100e6)), LIMITS, START_MS, true)[0]?.text,
    /memory is at 96 % of its limit of 95\.4 MiB/,
  );
});

t.test('OOM kills and lost messages count for ended boxes as well', async (t) => {
  const who = { box: 'b' };
  const box = boxWith([sampleOf(who, 1, { OOM: { events: 1, kills: 2 }, Dropped: 3 }), exitOf(who, 2)]);
  t.strictSame(names(box), ['oom', 'messages_lost']);
});

t.test('time is nearly over, and silence counts only while the broker is heard', async (t) => {
  const timer = (elapsed: number) => ({
    Timer: { running: true, elapsed_ms: elapsed, remaining_ms: 1, limit_ms: 100_000 },
  });
  t.strictSame(names(runningBox({ box: 'b' }, timer(91_000))), ['time_nearly_over']);
  t.strictSame(names(runningBox({ box: 'b' }, timer(89_000))), []);
  const quiet = runningBox({ box: 'b' });
  t.strictSame(names(quiet, START_MS + 1e6), ['box_silent']);
  t.strictSame(names(quiet, START_MS + 1e6, false), []);
});

t.test('idle CPUs are judged over a whole window', async (t) => {
  const who = { box: 'b' };
  const at = (second: number, cpu: number, more: object = {}) =>
    boxWith([
      sampleOf(who, second + 1, { CPUTimes: { user: cpu, system: 0 }, Limits: { cpus: { value: 4 } }, ...more }),
    ]);
  const first = idleOf(at(0, 0), undefined, LIMITS);
  t.equal(first.cause, null);
  t.equal(idleOf(at(59, 1), first.window, LIMITS).window, first.window, 'not yet');
  const { cause, window } = idleOf(at(60, 6), first.window, LIMITS);
  t.match(cause, { alert: 'cpu_idle', text: 'used 2.5 % of its 4 CPUs over 1 min' });
  t.equal(idleOf(at(120, 60), window, LIMITS).cause, null, 'busy again');
  t.equal(idleOf(at(180, 60, { Limits: {} }), window, LIMITS).cause, null, 'nothing was asked for');
});
