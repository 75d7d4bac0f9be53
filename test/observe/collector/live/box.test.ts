import t from 'tap';
import { EVENTS_MAX } from '../../../../src/observe/collector/live/box.js';
import { boxWith, eventOf, exitOf, START_MS, sampleOf } from '../../../fixtures/collected.js';

const who = { box: 'b1', job: '7', user: 'alice' };

t.test('a box goes through its life', async (t) => {
  const box = boxWith([
    eventOf(who, 1, 'started', { executable: 'app', sample_interval_ms: 10_000, limits: { memory: { value: 5 } } }),
    sampleOf(who, 2),
    eventOf(who, 3, 'suspended', { state: 'suspended' }),
  ]);
  t.match(box, { state: 'suspended', executable: 'app', intervalMs: 10_000, samples: 1, events: 2, end: null });
  t.equal(box.startedMs, START_MS + 1_000);
  box.apply(exitOf(who, 4, { reason: 'oom', exit_status: 137, why: 'out of memory' }), START_MS + 9_000);
  t.match(box, {
    state: 'ended',
    end: { reason: 'oom', exitStatus: 137, why: 'out of memory', atMs: START_MS + 4_000 },
  });
  box.apply(sampleOf(who, 5), START_MS + 9_000);
  t.equal(box.state, 'ended', 'nothing brings it back');
  t.match(JSON.parse(box.report!), { event: 'exited', version: 1, sequence: 4, identity: { box: 'b1' } });
});

t.test('a late sample changes the past, not the present', async (t) => {
  const box = boxWith([sampleOf(who, 5, { CPUPercent: 50 })]);
  box.apply(sampleOf(who, 3, { CPUPercent: 10, State: 'suspended' }), START_MS + 6_000);
  t.match(box, { state: 'running', samples: 2 });
  t.equal(box.figures[18], 50_000);
});

t.test('rates hold between two samples', async (t) => {
  const io = (bytes: number) => ({
    IOCounters: { read_bytes: bytes, write_bytes: 2 * bytes },
    Throttling: { throttled_ms: bytes },
  });
  const box = boxWith([sampleOf(who, 1, io(100)), sampleOf(who, 2, io(600))]);
  t.strictSame(box.rates, { readBytesPerSec: 500, writeBytesPerSec: 1_000, throttledPercent: 50 });
});

t.test('a box is silent after three intervals, unless it takes no samples', async (t) => {
  const silentAfter = (interval: number, ms: number) =>
    boxWith([eventOf(who, 1, 'started', { sample_interval_ms: interval })]).isSilent(START_MS + 1_000 + ms);
  t.notOk(silentAfter(1_000, 119_000), 'and at least two minutes');
  t.ok(silentAfter(1_000, 121_000));
  t.notOk(silentAfter(600_000, 1_700_000));
  t.ok(silentAfter(600_000, 1_900_000));
  t.notOk(silentAfter(0, 1e9));
});

t.test('a clock that is ahead counts no more than a minute', async (t) => {
  const box = boxWith([sampleOf(who, 1)]);
  box.apply(sampleOf(who, 2, {}, START_MS + 1e9), START_MS);
  t.equal(box.updatedMs, START_MS + 60_000);
});

t.test('other last events end it as well', async (t) => {
  t.match(boxWith([eventOf(who, 1, 'released', {})]).end, { reason: 'released' });
  t.match(boxWith([eventOf(who, 1, 'unboxed', { why: 'no room' })]).end, { reason: 'unboxed', why: 'no room' });
  t.ok(EVENTS_MAX >= 100);
});
