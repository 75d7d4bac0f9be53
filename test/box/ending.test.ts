import type { Keeper } from 'cgroup-utils-native';
import t from 'tap';
import { Box } from '../../src/box/box.js';
import type { BoxEnd, BoxOptions } from '../../src/box/box-options.js';
import { systemTime } from '../../src/box/time.js';
import { createLogger } from '../../src/log.js';
import type { BoxSpec } from '../../src/options/spec.js';

/** A box whose job has not started, and whose keeper does nothing. */
function unstartedBox(observed: boolean) {
  const log: string[] = [];
  const ends: BoxEnd[] = [];
  const box = new Box({
    spec: { timeoutMs: 0, stdoutMaxBytes: 0, rlimits: [], near: [], limitSources: {} } as unknown as BoxSpec,
    identity: { box: 'b' } as BoxOptions['identity'],
    keeper: {} as Keeper,
    adopted: false,
    resources: {
      limits: new Map(),
      incidents: () => ({ oomKills: 0, forksRefused: 0, memoryPeakBytes: null }),
      stop() {},
    } as unknown as BoxOptions['resources'],
    stdoutMode: 'pipe',
    log: createLogger('debug', { write: (line) => log.push(line.trimEnd()) }),
    time: systemTime,
    createSampler: () => {
      throw new Error('the job has not started');
    },
    observed,
    schedulerGraceMs: () => Number.POSITIVE_INFINITY,
    emit: () => {},
    dropped: () => 0,
    brokerState: () => null,
    onStarted: () => {},
    onEnded: (end) => ends.push(end),
  });
  return { box, log, ends };
}

for (const observed of [true, false]) {
  t.test(`a keeper that dies before the job has started ends the box once, observed: ${observed}`, async (t) => {
    const { box, log, ends } = unstartedBox(observed);
    box.onKeeper({ type: 'gone' });
    box.onKeeper({ type: 'gone' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.match(ends, [{ outcome: { exitStatus: 125, reason: 'failed' }, elapsedMs: 0, report: null }]);
    t.equal(ends.length, 1);
    t.match(log.join('\n'), /the keeper has died/);
  });
}
