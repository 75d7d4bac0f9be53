import t from 'tap';
import { livingBox, notedKeeper } from '../fixtures/life.js';

const BOB = { via: 'amqp', user: 'bob' } as const;

t.test('the stop ladder: the signal now, SIGKILL to everything when the grace period is over', async (t) => {
  const { life, asked, time } = livingBox(t);
  t.equal(await life.stop('stopped', BOB, 3), 1, 'the number of processes that the keeper has signalled');
  t.strictSame(asked, [['stop', 'group', 3, false]]);
  await time.advance(299);
  t.equal(asked.length, 1);
  await time.advance(1);
  t.strictSame(
    asked.slice(1),
    [['kill', true]],
    'a reader that takes nothing does not hold up an end that was asked for',
  );
  t.match(life.state, { phase: 'stopping', ending: { reason: 'stopped', by: BOB } });
});

t.test('a grace period becomes shorter, never longer', async (t) => {
  const { life, asked, time, deadlines } = livingBox(t);
  void life.stop('stopped', BOB, 15, 500);
  void life.stop('stopped', BOB, 15, 9000);
  void life.stop('stopped', BOB, 15, 100);
  t.strictSame(
    deadlines.map(({ killAtMs }) => killAtMs),
    [1500, 1100],
    'the keeper has the end of the ladder as well',
  );
  await time.advance(100);
  t.strictSame(asked.at(-1), ['kill', true]);
  await time.advance(10_000);
  t.equal(asked.filter(([name]) => name === 'kill').length, 1);
});

t.test('after close no grace period ends any more', async (t) => {
  const { life, asked, time } = livingBox(t);
  void life.stop('stopped', BOB, 15);
  life.close();
  await time.advance(10_000);
  t.strictSame(asked, [['stop', 'group', 15, false]]);
});

t.test('a stop sends its signal to a suspended box first, then resumes it', async (t) => {
  let woken = 0;
  const { life, asked } = livingBox(t, {}, { onWoken: () => woken++ });
  void life.apply({ type: 'suspend' });
  void life.apply({ type: 'resume' });
  t.equal(woken, 0, 'an explicit resume reports itself');
  void life.apply({ type: 'suspend' });
  void life.stop('stopped', BOB, 15);
  t.equal(woken, 1);
  t.strictSame(asked, [['suspend'], ['resume'], ['suspend'], ['stop', 'group', 15, false], ['resume']]);
});

t.test('a kill counts the processes that the keeper has reached', async (t) => {
  const { life } = livingBox(t, {}, { keeper: notedKeeper({ kill: () => 3 }).keeper });
  t.equal(await life.apply({ type: 'kill', reason: 'killed', by: BOB, signal: 9 }), 3);
});

t.test('if nobody asked for the end, written output waits for its reader', async (t) => {
  const { life, asked, time, deadlines } = livingBox(t);
  void life.apply({ type: 'mainEnded' });
  void life.apply({ type: 'leftovers', signal: 15, graceMs: 300, linger: false, spare: false });
  t.match(deadlines, [{ stopAtMs: 0, killAtMs: 1300, abandon: false }]);
  await time.advance(300);
  t.strictSame(asked, [
    ['stop', 'rest', 15, false],
    ['kill', false],
  ]);
});

t.test('the keeper and the front end get the wall clock limit, and during a stop ladder the end of that', async (t) => {
  const ends: number[] = [];
  const { life, deadlines } = livingBox(t, { graceMs: 300 }, { onDeadline: (endMs) => ends.push(endMs) });
  life.deadline(5000);
  life.deadline(0);
  t.strictSame(deadlines, [
    { stopAtMs: 5000, killAtMs: 0, graceMs: 300, signal: 15, abandon: false },
    { stopAtMs: 0, killAtMs: 0, graceMs: 300, signal: 15, abandon: false },
  ]);
  t.strictSame(ends, [5300, 0], 'with the grace period; 0 without a limit');
  void life.stop('stopped', BOB, 15, 200);
  life.deadline(4000);
  t.match(deadlines.slice(2), [
    { stopAtMs: 0, killAtMs: 1200, abandon: true },
    { stopAtMs: 0, killAtMs: 1200, abandon: true },
  ]);
  t.strictSame(ends.slice(2), [1200, 1200]);
});

t.test('the grace period lasts until the scheduler kills, unless a shorter one was asked for', async (t) => {
  for (const [graceAsked, leftMs, expected] of [
    [false, 5000, 5000],
    [false, 50, 50],
    [true, 5000, 300],
    [true, 50, 50],
    [false, Number.POSITIVE_INFINITY, 300],
  ] as const) {
    const { life, deadlines } = livingBox(t, { graceAsked }, { schedulerGraceMs: () => leftMs });
    t.equal(life.schedulersGrace(300), expected);
    void life.stop('scheduler', { via: 'signal', signal: 'SIGTERM' }, null);
    t.match(deadlines, [{ killAtMs: 1000 + expected }], `asked ${graceAsked}, ${leftMs} ms`);
  }
  const { life, deadlines } = livingBox(t, {}, { schedulerGraceMs: () => 50 });
  void life.stop('stopped', BOB, 15);
  t.match(deadlines, [{ killAtMs: 1300 }], 'an end that a command asked for is not affected');
});

t.test('a step does not fail if the keeper has gone', async (t) => {
  const { keeper } = notedKeeper({ suspend: () => Promise.reject(new Error('the keeper has ended')) });
  const { life, lines } = livingBox(t, {}, { keeper });
  t.equal(await life.apply({ type: 'suspend' }), 0);
  t.strictSame(lines, ['proc_box: debug: suspend: the keeper has ended']);
});

t.test('nothing happens after the end', async (t) => {
  const { life, asked } = livingBox(t);
  void life.apply({ type: 'ended' });
  t.ok(life.hasEnded());
  t.equal(await life.stop('stopped', BOB, 15), 0);
  t.strictSame(asked, []);
});

t.test('each step tells the first cause when it was asked for', async (t) => {
  const { life, time } = livingBox(t);
  time.jump(500);
  life.cause.mainEnded(1400);
  void life.stop('timeout', { via: 'limit' }, null, 300, 1350);
  t.match(life.cause.of(life.state), { ending: { reason: 'timeout' } }, 'it had begun before the job ended');
  const late = livingBox(t).life;
  late.cause.mainEnded(900);
  void late.stop('stopped', BOB, 15);
  t.equal(late.cause.of(late.state).ending, null, 'the job had ended by itself');
});
