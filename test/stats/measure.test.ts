import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import type { CgroupUsage } from '../../src/cgroup/usage.js';
import type { SampleCause } from '../../src/model/sample.js';
import { createMeter } from '../../src/stats/measure.js';
import { cgroupUsage, noPressure, rawSample, row, tree } from '../fixtures/samples.js';

const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, at) => from + at);

/** A meter on hand-made sources, and a group with that many processes. */
function meterOf(processes: number, rowsIntervalMs = 60_000) {
  const state = {
    walks: 0,
    requests: 0,
    warnings: [] as string[],
    usage: cgroupUsage({ pids: { current: processes, peak: null, refused: null } }) as CgroupUsage | null,
    tree: tree({ pids: numbers(processes) }),
    pids: numbers(processes),
    list: (pids: number[]) => {
      state.pids = pids;
    },
  };
  const meter = createMeter({
    cgroup: {
      ...noCgroup('a test'),
      procsFile: '/box/cgroup.procs',
      usageFiles: () => ['/box/x'],
      usage: () => state.usage,
    },
    pressure: noPressure,
    sample: async ({ walk = false, list, walkMost = 0 }) => {
      state.requests++;
      const isLong = list !== undefined && state.pids.length > walkMost;
      const walked = walk && !isLong;
      if (walked) state.walks++;
      return rawSample({ pids: list === undefined ? null : state.pids, tree: walked ? state.tree : null });
    },
    walk: { rows: 1 },
    rowsIntervalMs,
    warn: (message) => state.warnings.push(message),
  });
  return { meter, measure: meter.measure.bind(meter), state };
}

t.test('a small box is walked for every sample', async (t) => {
  const { measure, state } = meterOf(64);
  for (const atMs of [0, 100, 200]) t.match(await measure('interval', atMs), { walked: true, ageMs: 0 });
  t.equal(state.walks, 3);
});

t.test('a large box is walked at the start, and then once in the interval of rows', async (t) => {
  const { measure, state } = meterOf(65);
  const walks: (string | number)[] = [];
  for (const atMs of [0, 1000, 30_000, 59_390, 59_500, 61_000, 118_000, 119_000]) {
    const before = state.walks;
    const { ageMs, walked } = await measure(atMs === 0 ? 'start' : 'interval', atMs);
    t.equal(walked, state.walks > before);
    walks.push(walked ? 'walk' : ageMs);
  }
  t.same(
    walks,
    ['walk', 1000, 30_000, 59_390, 'walk', 1500, 58_500, 'walk'],
    'a timer that comes a little early counts',
  );
});

t.test('whoever asks gets a walk; an interval of 0 gives one always', async (t) => {
  const { measure } = meterOf(1000);
  await measure('start', 0);
  for (const cause of ['request', 'signal', 'stop', 'limit'] as SampleCause[])
    t.ok((await measure(cause, 1)).walked, cause);
  t.notOk((await measure('interval', 2)).walked);
  const always = meterOf(1000, 0);
  for (const atMs of [0, 1, 2]) t.ok((await always.measure('interval', atMs)).walked);
});

t.test('a box without a group, or whose group does not count memory and CPU time, is always walked', async (t) => {
  for (const usage of [null, cgroupUsage({ memory: null }), cgroupUsage({ cpu: null })]) {
    const { measure, state } = meterOf(1000);
    state.usage = usage;
    for (const atMs of [0, 1, 2]) t.ok((await measure('interval', atMs)).walked);
    t.same(state.warnings, [], 'what never was there is not missed');
  }
});

t.test('between walks the processes are listed anew when their number changes, and every ten seconds', async (t) => {
  const { measure, state } = meterOf(100);
  await measure('start', 0);
  t.same((await measure('interval', 1000)).pids, numbers(100));
  state.list(numbers(100, 500));
  t.same((await measure('interval', 2000)).pids, numbers(100), 'as many tasks as before');
  state.usage = cgroupUsage({ pids: { current: 101, peak: null, refused: null } });
  t.same((await measure('interval', 3000)).pids, numbers(100, 500));
  state.list(numbers(100, 900));
  t.same((await measure('interval', 12_999)).pids, numbers(100, 500));
  t.same((await measure('interval', 13_000)).pids, numbers(100, 900));
  state.usage = cgroupUsage({ pids: null });
  state.list(numbers(70));
  t.same((await measure('interval', 13_001)).pids, numbers(70), 'where nobody counts them, always');
  state.list(numbers(10));
  t.ok((await measure('interval', 13_002)).walked, 'a large box that has become small is walked');
});

t.test(
  'resident memory counts each page once, and is between the largest process and the sum where both are known',
  async (t) => {
    const { measure, state } = meterOf(65);
    const counted = (anonBytes: number | null, mappedBytes: number) => {
      const usage = cgroupUsage();
      state.usage = { ...usage, memory: { ...usage.memory!, anonBytes, mappedBytes } };
    };
    state.tree = tree({ pids: numbers(65), rssBytes: 1000, rows: [row(1, 400)] });
    const cases: [number | null, number, number][] = [
      [500, 300, 800],
      [10, 5, 400],
      [5000, 0, 1000],
      [null, 0, 1000],
    ];
    for (const [anon, mapped, expected] of cases) {
      counted(anon, mapped);
      t.equal((await measure('request', 0)).rssBytes, expected, `${anon} + ${mapped}`);
    }
    counted(5000, 1);
    t.match(await measure('interval', 1), { rssBytes: 5001, swapBytes: 7 }, 'between walks as it is counted');
  },
);

t.test('the final sample has no memory and no process, and the last counts', async (t) => {
  const { meter, measure, state } = meterOf(100);
  await measure('start', 0);
  await meter.readFinal();
  t.match(meter.final(), {
    rssBytes: 0,
    swapBytes: 0,
    pids: [],
    walked: true,
    ageMs: 0,
    cpu: { usageUsec: 4_000_000 },
  });
  t.equal(state.walks, 1);
});

t.test('a controller that falls silent is told once, and the processes are walked from then on', async (t) => {
  const { measure, state } = meterOf(1000);
  await measure('start', 0);
  t.notOk((await measure('interval', 1)).walked);
  state.usage = cgroupUsage({ memory: null, io: null });
  for (const atMs of [2, 3]) t.match(await measure('interval', atMs), { walked: true, memory: null, rssBytes: 1000 });
  t.same(state.warnings, [
    "the box's control group no longer counts memory, io: statistics now come from its processes",
  ]);
  state.usage = cgroupUsage();
  t.notOk((await measure('interval', 4)).walked, 'it is back');
  state.usage = null;
  await measure('interval', 5);
  t.equal(state.warnings.length, 2);
  t.match(state.warnings[1], /no longer counts cpu, pids/);
});

t.test('a sample is one request, and a second one only where the group has changed', async (t) => {
  const { measure, state } = meterOf(100);
  await measure('start', 0);
  await measure('interval', 1000);
  await measure('interval', 2000);
  t.equal(state.requests, 3, 'walk, list, and the list once more');
  state.usage = cgroupUsage({ pids: { current: 101, peak: null, refused: null } });
  await measure('interval', 3000);
  t.equal(state.requests, 5, 'another number of tasks');
});

t.test('a group that comes later does not know what was before it', async (t) => {
  const { measure, state } = meterOf(1000);
  state.usage = cgroupUsage({ memory: null });
  await measure('start', 0);
  state.usage = cgroupUsage();
  t.match(await measure('interval', 1), {
    walked: true,
    memory: null,
    rssBytes: 1000,
    cgroup: { memory: { currentBytes: 5000 } },
  });
});
