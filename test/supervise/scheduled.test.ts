import { monotonicMs } from 'cgroup-utils-native';
import t from 'tap';
import type { Box } from '../../src/box/box.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { createScheduled, type ScheduledOptions } from '../../src/supervise/scheduled.js';
import type * as Slurm from '../../src/supervise/slurm.js';
import type { Subject } from '../../src/supervise/subject.js';
import { linesLogger } from '../fixtures/light.js';

const ATTACHED = { SLURM_TASK_PID: String(process.ppid) };

interface Given extends Partial<Pick<ScheduledOptions, 'scheduler' | 'groups'>> {
  readonly environment?: Record<string, string>;
  readonly adopted?: boolean;
  readonly spec?: Partial<BoxSpec>;
}

/** With a bundle for Slurm that takes notes. */
function scheduled({ scheduler = 'slurm', groups = [], environment = ATTACHED, adopted = false, spec = {} }: Given) {
  const calls: string[] = [];
  const slurm = {
    warnOfNoNotice: () => calls.push('warnOfNoNotice'),
    followJobEnd: (_: unknown, asked: boolean) => {
      calls.push(`followJobEnd ${asked}`);
      return () => calls.push('close');
    },
    untilStepdRests: () => {
      calls.push('untilStepdRests');
      return Promise.resolve();
    },
    killAtMs: (_: unknown, nowMs: number) => {
      calls.push('killAtMs');
      return nowMs + 30_000;
    },
  } as unknown as typeof Slurm;
  let loaded = 0;
  const made = createScheduled({
    spec: {
      uris: [],
      flushMs: 5_000,
      timeoutAsked: false,
      timeoutSource: 'default',
      timeoutMs: 0,
      ...spec,
    } as unknown as BoxSpec,
    log: linesLogger().log,
    scheduler,
    subject: { environment, frontPid: process.ppid, adopted: adopted ? {} : null } as unknown as Subject,
    groups,
    loadSlurm: () => {
      loaded++;
      return slurm;
    },
  });
  return { made, calls, loaded: () => loaded };
}

t.test('outside of a job there is nothing to do', async (t) => {
  for (const scheduler of ['none', 'sge', 'lsf'] as const) {
    const { made, loaded } = scheduled({ scheduler });
    made.started({} as Box);
    t.equal(made.settled(true), null);
    t.equal(made.graceMs(), Number.POSITIVE_INFINITY);
    made.close();
    t.equal(loaded(), 0);
  }
});

t.test('in a Slurm job the end is followed, and what would be killed without notice is warned of', async (t) => {
  const started = (given: Given) => {
    const { made, calls } = scheduled(given);
    made.started({} as Box);
    made.close();
    return calls;
  };
  t.strictSame(started({}), [], 'nothing is loaded for a box that has its own limit');
  t.strictSame(started({ spec: { timeoutAsked: true } }), ['followJobEnd true', 'close']);
  t.strictSame(started({ spec: { timeoutSource: 'scheduler', timeoutMs: 5 } }), ['followJobEnd false', 'close']);
  t.strictSame(started({ spec: { timeoutSource: 'scheduler', timeoutMs: 0 } }), [], 'a job without an end');
  t.strictSame(started({ environment: { SLURM_TASK_PID: '1' } }), ['warnOfNoNotice']);
  t.strictSame(started({ environment: {}, adopted: true }), [], 'signals reach what was adopted without us');
});

t.test('a signal of the scheduler that the job died of may be on its way', async (t) => {
  const slurm = scheduled({ environment: { ...ATTACHED, SLURM_JOB_ID: '1' } });
  await slurm.made.settled(false);
  t.strictSame(slurm.calls, ['untilStepdRests']);
  t.equal(scheduled({ adopted: true }).made.settled(true), null);
  const conf = t.testdir({ 'slurm.conf': 'ProctrackType=proctrack/cgroup\n' });
  const alone = scheduled({ environment: { ...ATTACHED, SLURM_JOB_ID: '1', SLURM_CONF: `${conf}/slurm.conf` } });
  t.equal(alone.made.settled(true), null, 'where Slurm signals the wrapper alone');
  const pbs = scheduled({ scheduler: 'pbs', environment: { PBS_JOBID: '1.s' } });
  t.equal(pbs.made.settled(false), null);
  await pbs.made.settled(true);
  pbs.made.started({} as Box);
  t.equal(pbs.loaded(), 0);
});

t.test('the grace period ends a moment before the KILL of the scheduler; its first TERM counts', async (t) => {
  const { made, calls } = scheduled({ spec: { uris: ['amqp://h'] } });
  const before = monotonicMs();
  const grace = made.graceMs();
  t.ok(grace <= 30_000 - 5_500 && grace >= 24_500 - (monotonicMs() - before) - 1, `${grace}`);
  made.graceMs();
  t.strictSame(calls, ['killAtMs']);
  const quiet = scheduled({ scheduler: 'pbs', environment: {} }).made.graceMs();
  t.ok(quiet > 8_000 && quiet <= 8_500, 'without a broker nothing is flushed');
  const slow = scheduled({ scheduler: 'pbs', environment: {}, spec: { uris: ['amqp://h'], flushMs: 60_000 } });
  t.ok(slow.made.graceMs() > 5_000, 'the job has most of the time in any case');
});
