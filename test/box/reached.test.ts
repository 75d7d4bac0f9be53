import type { ProcessRow } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { Limits } from '../../src/box/limits.js';
import { createNear } from '../../src/box/near.js';
import { Reached } from '../../src/box/reached.js';
import { createTimeLimit } from '../../src/box/time-limit.js';
import type { LimitStatus, ProcessInfo } from '../../src/model/sample.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { processInfo } from '../../src/stats/assemble.js';
import { livingBox } from '../fixtures/life.js';
import { row } from '../fixtures/samples.js';

const status = (value: number, unit: LimitStatus['unit'], enforcement: LimitStatus['enforcement']): LimitStatus => ({
  value,
  unit,
  enforcement,
});
const LIMITS: [string, LimitStatus][] = [
  ['memory', status(1000, 'bytes', 'watchdog')],
  ['cpu-time', status(5000, 'ms', 'watchdog')],
  ['stdoutlimit', status(200, 'bytes', 'splice')],
  ['timeout', status(10_000, 'ms', 'timer')],
];

/** A running box whose limits are reached by hand. What it does is in `order`: requests to the keeper, events, samples. */
function boxWithLimits(t: Test, spec: Partial<BoxSpec> = {}, sampled: readonly ProcessInfo[] = []) {
  const parts = livingBox(t, { timeoutMs: 10_000, ...spec });
  const limits: Limits = new Map(LIMITS);
  const near = createNear({ thresholds: parts.spec.near, limits, emitEvent: parts.emitEvent });
  const { clock } = createTimeLimit({ ...parts, near, onExpired() {} });
  clock.start(parts.time.now());
  const samples: string[] = [];
  let letSample = () => {};
  const reached = new Reached({
    ...parts,
    limits,
    near,
    clock,
    sample(cause) {
      samples.push(cause);
      return new Promise<void>((resolve) => {
        letSample = resolve;
      });
    },
    largest: () => sampled,
  });
  return { ...parts, reached, samples, letSample: () => letSample() };
}

const rows: readonly ProcessRow[] = [row(100, 900), row(101, 150)];

t.test('a limit that sampling holds is passed: an event, and the box is killed', async (t) => {
  const { reached, told, asked, samples, life } = boxWithLimits(t);
  reached.watched('memory', 1050.4, 1000, rows);
  t.match(told, [
    {
      event: 'limit_exceeded',
      limit: 'memory',
      status: { value: 1000 },
      used: 1050,
      processes: [{ pid: 100 }, { pid: 101 }],
    },
  ]);
  t.strictSame(asked, [['kill', true]]);
  t.match(life.state.ending, { reason: 'memory', by: { via: 'limit' } });
  t.strictSame(samples, ['limit']);
  t.equal(reached.used, 1050);
});

t.test('the first limit that was passed is the one that ends the job', async (t) => {
  const { reached, told, life } = boxWithLimits(t);
  reached.watched('memory', 1050, 1000, rows);
  reached.watched('cpu-time', 5001, 5000, []);
  t.equal(reached.used, 1050);
  t.equal(told.length, 2);
  t.match(life.state.ending, { reason: 'memory' });
});

t.test('CPU time has the stop ladder, and names the processes of the last sample', async (t) => {
  const { reached, told, asked } = boxWithLimits(t, {}, [processInfo(row(7, 1))]);
  reached.watched('cpu-time', 5001, 5000, []);
  t.match(told, [{ limit: 'cpu-time', processes: [{ pid: 7 }] }]);
  t.strictSame(asked, [['stop', 'group', 15, false]]);
});

t.test('the time limit: the sample is taken while the job still runs', async (t) => {
  const { reached, told, asked, samples, letSample, time } = boxWithLimits(t);
  await time.advance(9_990);
  const done = reached.time();
  t.match(told, [{ event: 'limit_exceeded', limit: 'timeout', used: 9_990, processes: [] }]);
  t.strictSame([samples, asked], [['limit'], []]);
  letSample();
  await done;
  t.strictSame(asked, [['stop', 'group', 15, true]]);
});

t.test('if the keeper has stopped the job, only the rest of the ladder is left', async (t) => {
  const { reached, asked, life, lines, deadlines } = boxWithLimits(t);
  reached.timeByKeeper(990);
  t.match(life.state, { phase: 'stopping', ending: { reason: 'timeout', by: { via: 'limit' } } });
  t.strictSame(asked, [], 'the keeper has sent the signal');
  t.match(deadlines.at(-1), { killAtMs: 1290 }, 'the grace period has begun then');
  t.match(
    lines.join('\n'),
    'the wall clock limit of 10 s passed while this process did not respond; the keeper stopped the job',
  );
  life.cause.mainEnded(995);
  t.match(
    life.cause.of(life.state).ending,
    { reason: 'timeout' },
    'the job ended after that, whatever the order of the messages',
  );
});

t.test('the keeper may have been earlier than this process', async (t) => {
  const { reached, life, lines, letSample } = boxWithLimits(t);
  const ours = reached.time();
  letSample();
  await ours;
  life.cause.mainEnded(995);
  t.equal(life.cause.of(life.state).ending, null);
  reached.timeByKeeper(990);
  t.match(life.cause.of(life.state).ending, { reason: 'timeout' });
  t.notMatch(lines.join('\n'), 'the keeper stopped the job');
});

t.test('a box that already ends for another reason ignores that the keeper has acted', async (t) => {
  const { reached, life, asked } = boxWithLimits(t);
  void life.stop('stopped', { via: 'amqp' }, 3);
  reached.timeByKeeper(990);
  t.match(life.state.ending, { reason: 'stopped' });
  t.strictSame(asked, [['stop', 'group', 3, false]]);
});

t.test('stdout: the stop ladder once; a job that goes on writing is killed', async (t) => {
  const { reached, told, asked, samples } = boxWithLimits(t, { near: [80] });
  reached.stdout(200);
  t.match(told, [
    { event: 'limit_near', limit: 'stdoutlimit', threshold_percent: 80, used: 200 },
    { event: 'limit_exceeded', limit: 'stdoutlimit', used: 200 },
  ]);
  t.strictSame([asked, samples], [[['stop', 'group', 15, false]], ['limit']]);
  reached.stdout(260);
  t.strictSame(asked.slice(1), [['kill', true]]);
  t.equal(told.length, 2);
});

t.test('the keeper is asked to report when stdout reaches the next threshold of --near', async (t) => {
  const { reached, asked } = boxWithLimits(t, { near: [33] });
  reached.markStdout();
  t.strictSame(asked, [['stdoutMark', 66]], 'whole bytes');
  reached.stdout(200);
  reached.markStdout();
  t.strictSame(asked.at(-1), ['stdoutMark', 0], 'there is no further threshold');
  const without = boxWithLimits(t);
  without.reached.markStdout();
  t.strictSame(without.asked, [], 'without --near');
});
