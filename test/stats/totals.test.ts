import fc from 'fast-check';
import t from 'tap';
import type { CgroupUsage } from '../../src/cgroup/usage.js';
import { type Moment, splitTime, type Totals, totals } from '../../src/stats/totals.js';
import { cgroupUsage, tree, usage } from '../fixtures/samples.js';

const moment = (more: Partial<Moment> = {}): Moment => ({
  tree: tree(),
  usage: usage(),
  cgroup: null,
  cpu: null,
  rssBytes: 1000,
  processes: 1,
  ...more,
});
const ofGroup = (cgroup: CgroupUsage) => ({ cgroup, cpu: cgroup.cpu });

t.test('the CPU time of the group is exact, in both parts', (t) => {
  const sum = totals().add(moment(ofGroup(cgroupUsage())));
  t.match(sum, { userUsec: 3_000_000, systemUsec: 1_000_000 });
  t.end();
});

t.test('user and system never go back and are the sum together, however the kernel splits it', (t) => {
  const reading = fc.record({ step: fc.nat(1e6), user: fc.nat(1e6), system: fc.nat(1e6) });
  fc.assert(
    fc.property(fc.array(reading), (readings) => {
      let at = { userUsec: 0, systemUsec: 0 };
      let usageUsec = 0;
      const none = { periods: null, throttledPeriods: null, throttledUsec: null };
      for (const { step, user, system } of readings) {
        usageUsec += step;
        const next = splitTime(at, { usageUsec, userUsec: user, systemUsec: system, ...none });
        if (next.userUsec < at.userUsec || next.systemUsec < at.systemUsec) return false;
        if (next.userUsec + next.systemUsec !== usageUsec) return false;
        at = next;
      }
      return true;
    }),
  );
  const unknown = splitTime(
    { userUsec: 5, systemUsec: 2 },
    { ...cgroupUsage().cpu!, usageUsec: 10, userUsec: null, systemUsec: null },
  );
  t.same(unknown, { userUsec: 8, systemUsec: 2 }, 'without the parts it is user time');
  t.end();
});

t.test('no counter goes back when a source falls silent, comes back, or begins anew', (t) => {
  const sum = totals();
  const group = cgroupUsage();
  const less = cgroupUsage({
    cpu: { usageUsec: 5, userUsec: 5, systemUsec: 0, periods: 1, throttledPeriods: 0, throttledUsec: 0 },
    io: [{ device: '8:0', readBytes: 1, writeBytes: 1, readCount: 1, writeCount: 1 }],
    pids: { current: 1, peak: 1, refused: 0 },
  });
  const moments = [
    moment(),
    moment(ofGroup(group)),
    moment(),
    moment({ tree: null, ...ofGroup(group) }),
    moment(ofGroup(less)),
    moment({ tree: tree({ userUsec: 9e6 }) }),
  ];
  let before: Totals | undefined;
  for (const one of moments) {
    const now = sum.add(one);
    for (const key of ['userUsec', 'systemUsec', 'readCount', 'writeBytes', 'processesPeak'] as const) {
      t.ok(now[key] >= (before?.[key] ?? 0), key);
    }
    if (before !== undefined && before.counted.oom !== null)
      t.same(now.counted, before.counted, 'what was counted stays');
    before = now;
  }
  t.match(before, {
    userUsec: 9e6,
    counted: {
      memoryPeak: { bytes: 9000, exact: true },
      oom: { events: 3, kills: 1 },
      throttling: { periods: 100, throttledPeriods: 40, throttledUsec: 1_234_500 },
      tasks: { peak: 11, refused: 2 },
    },
  });
  t.end();
});

t.test('between walks a reaped process is not counted twice', (t) => {
  const sum = totals();
  sum.add(moment({ tree: tree({ readCount: 10 }) }));
  const between = sum.add(moment({ tree: null, usage: usage({ readCount: 10, stdoutBytes: 5 }) }));
  t.match(between, { readCount: 10, stdoutBytes: 5, userUsec: 2_000_000 });
  t.equal(sum.add(moment({ tree: tree({ readCount: 3 }), usage: usage({ readCount: 10 }) })).readCount, 13);
  t.end();
});

t.test('without a mark of the kernel the peak is the highest that was sampled', (t) => {
  const sum = totals();
  const memory = (currentBytes: number) =>
    cgroupUsage({ memory: { ...cgroupUsage().memory!, currentBytes, peakBytes: null } });
  sum.add(moment({ cgroup: memory(800) }));
  t.same(sum.add(moment({ cgroup: memory(300) })).counted.memoryPeak, { bytes: 800, exact: false });
  t.end();
});
