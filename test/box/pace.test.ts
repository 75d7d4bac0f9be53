import t from 'tap';
import { createPace, PERIOD_MS } from '../../src/box/pace.js';

const MIB = 2 ** 20;

/** Looks at a box whose memory is `grows(ms)` as the pace says, until it is over its limit. */
function follow(grows: (ms: number) => number, limit: number, untilMs = 20_000) {
  const pace = createPace(0);
  const looks: { atMs: number; bytes: number }[] = [];
  for (let atMs = 0; atMs < untilMs; ) {
    const bytes = grows(atMs);
    looks.push({ atMs, bytes });
    if (bytes > limit) break;
    atMs += pace.next(bytes, limit, atMs);
  }
  return looks;
}

t.test('a short job that fills memory at full speed is seen just above its limit', async (t) => {
  for (const perMs of [0.2, 0.5, 1, 2, 4].map((rate) => rate * MIB)) {
    const looks = follow((ms) => Math.max(0, ms - 30) * perMs, 64 * MIB);
    const { bytes } = looks.at(-1)!;
    t.ok(bytes > 64 * MIB && bytes < 64 * MIB + 5 * perMs, `${perMs / MIB} MiB per ms: ${bytes / MIB} MiB`);
  }
});

t.test('a quiet box is looked at every 200 ms, however close to its limit', async (t) => {
  const looks = follow(() => 63 * MIB, 64 * MIB);
  const late = looks.filter(({ atMs }) => atMs > 5_000);
  t.ok(late.length > 50);
  for (const [index, { atMs }] of late.slice(1).entries()) t.equal(atMs - late[index]!.atMs, PERIOD_MS);
});

t.test('growth brings the looks closer together again', async (t) => {
  const looks = follow((ms) => (ms < 5_000 ? 10 * MIB : 10 * MIB + (ms - 5_000) * 0.1 * MIB), 200 * MIB);
  const { bytes } = looks.at(-1)!;
  t.ok(bytes > 200 * MIB && bytes <= 202 * MIB, `${bytes / MIB} MiB`);
});

t.test('memory that shrinks is no reason to look less than every 200 ms', async (t) => {
  const pace = createPace(0);
  for (const [at, bytes] of [60, 50, 40, 10].entries()) {
    const ms = pace.next(bytes * MIB, 64 * MIB, 2_000 + at * 200);
    t.ok(ms > 0 && ms <= PERIOD_MS, `${ms}`);
  }
});

t.test('a box that stays near its limit, up and down, is looked at 50 times a second at most', async (t) => {
  const pace = createPace(0);
  for (let look = 0; look < 20; look++)
    t.ok(pace.next((look % 2 === 0 ? 60 : 63) * MIB, 64 * MIB, 5_000 + look * 20) >= 20);
});
