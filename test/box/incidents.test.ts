import t, { type Test } from 'tap';
import { createIncidents, type IncidentsOptions } from '../../src/box/incidents.js';
import type { Limits } from '../../src/box/limits.js';
import type { IncidentCounts, ResourceControl } from '../../src/box/resource-control.js';
import type { EventBody } from '../../src/model/event.js';
import type { LimitStatus, ProcessInfo, Sample } from '../../src/model/sample.js';
import { linesLogger } from '../fixtures/light.js';
import { virtualTime } from '../fixtures/virtual-time.js';

const memory: LimitStatus = { value: 60 * 2 ** 20, unit: 'bytes', enforcement: 'cgroup2' };
const processes = [{ pid: 7 }] as unknown as readonly ProcessInfo[];

function incidents(t: Test, limits: Limits, more: Partial<IncidentsOptions> = {}) {
  const time = virtualTime(t);
  const { log, lines } = linesLogger();
  const told: EventBody[] = [];
  let next: IncidentCounts = { oomKills: 0, forksRefused: 0, memoryPeakBytes: null };
  const made = createIncidents({
    resources: { incidents: () => next } as unknown as ResourceControl,
    limits,
    time,
    log,
    emitEvent: (body) => told.push(body),
    lastSample: () => undefined,
    ...more,
  });
  const happens = (counted: Partial<IncidentCounts>) => {
    next = { oomKills: 0, forksRefused: 0, memoryPeakBytes: null, ...counted };
    made.notice(processes, null);
  };
  return { made, time, lines, told, happens };
}

t.test('nothing new is told of nothing', async (t) => {
  const { made, told, happens, lines } = incidents(t, new Map([['memory', memory]]));
  happens({});
  t.equal(made.oomKilled, false);
  t.strictSame(made.oom, { kills: 0, peakBytes: 0 });
  made.close(false);
  t.strictSame([told, lines], [[], []]);
});

t.test('what was killed for memory is told at once, and warned of a second later', async (t) => {
  const { made, time, lines, told, happens } = incidents(t, new Map([['memory', memory]]));
  happens({ oomKills: 1, memoryPeakBytes: 2 ** 20 });
  t.strictSame(told, [{ event: 'oom', kills: 1, limit: memory, memory_peak_bytes: 2 ** 20, processes }]);
  await time.advance(500);
  happens({ oomKills: 2, memoryPeakBytes: 2 ** 21 });
  t.strictSame(lines, []);
  await time.advance(500);
  t.strictSame(lines, ['proc_box: warn: out of memory: the kernel killed 3 processes (limit 60 MiB, peak 2 MiB)']);
  t.strictSame(made.oom, { kills: 3, peakBytes: 2 ** 21 });
  made.close(false);
  t.equal(lines.length, 1, 'each is warned of once');
});

t.test('the end of the job may come of a kill for half a minute', async (t) => {
  const { made, time, happens } = incidents(t, new Map());
  happens({ oomKills: 1 });
  t.equal(made.oomKilled, true);
  time.block(29_999);
  t.equal(made.oomKilled, true);
  time.block(1);
  t.equal(made.oomKilled, false);
});

t.test('at the end of the box it is told once: by the line about the end, or by the warning', async (t) => {
  for (const told of [true, false]) {
    const { made, lines, happens } = incidents(t, new Map());
    happens({ oomKills: 1 });
    made.close(told);
    t.equal(lines.length, told ? 0 : 1);
  }
});

t.test('the peak is the kernel mark, else what was sampled', async (t) => {
  const sampled = (cgroup: number | null) => () => ({ MemoryPeak: { rss: 5, cgroup } }) as unknown as Sample;
  for (const [lastSample, memoryPeakBytes, peak] of [
    [sampled(7), 9, 9],
    [sampled(7), null, 7],
    [sampled(null), null, 5],
    [() => undefined, null, 0],
  ] as const) {
    const { made, happens } = incidents(t, new Map(), { lastSample });
    happens({ oomKills: 1, memoryPeakBytes });
    t.equal(made.oom.peakBytes, peak);
  }
});

t.test("what the watchdog holds is no limit of the kernel's", async (t) => {
  const { told, happens } = incidents(t, new Map([['memory', { ...memory, enforcement: 'watchdog' }]]));
  happens({ oomKills: 1 });
  t.match(told, [{ event: 'oom', limit: null }]);
});

t.test('refused forks are told where there is a limit of processes', async (t) => {
  const pids: LimitStatus = { value: 5, unit: 'count', enforcement: 'cgroup1' };
  const limited = incidents(t, new Map([['pids', pids]]));
  limited.happens({ forksRefused: 3 });
  t.strictSame(limited.told, [{ event: 'limit_exceeded', limit: 'pids', status: pids, used: null, processes }]);
  const without = incidents(t, new Map());
  without.happens({ forksRefused: 3 });
  t.strictSame(without.told, []);
});
