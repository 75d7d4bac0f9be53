import t from 'tap';
import { reportOf } from '../../../src/observe/report/job-report.js';
import { cores, round } from '../../../src/observe/report/notes.js';
import { DEFAULT_THRESHOLDS } from '../../../src/observe/report/thresholds.js';
import { facts, GIB, HOUR, remarks, report } from '../../fixtures/facts.js';

t.test('a job that used what it asked for gets no remark', async (t) => t.strictSame(remarks({}), {}));

t.test('memory that was never used', async (t) => {
  const much = { memoryLimitBytes: 64 * GIB, memoryPeakBytes: 3.1 * GIB };
  t.equal(remarks(much)['memory_unused'], 'memory: asked for 64 GiB, used 3.1 GiB: ask for 4 GiB');
  t.equal(
    remarks(much, much)['memory_unused'],
    'memory: asked for 64 GiB in each box, used at most 3.1 GiB: ask for 4 GiB',
  );
  t.strictSame(remarks({ ...much, elapsedMs: 30_000, timeUsedMs: HOUR }), {}, 'a short job tells nothing');
  t.strictSame(
    remarks({ memoryLimitBytes: GIB / 4, memoryPeakBytes: GIB / 16, chargedPeakBytes: GIB / 16 }),
    {},
    'too little to speak of',
  );
  t.strictSame(remarks({ ...much, memoryLimitBytes: null }), {}, 'nothing was asked for');
});

t.test('memory that was nearly all used, or ran out', async (t) => {
  t.equal(
    remarks({ memoryPeakBytes: 3.9 * GIB })['memory_tight'],
    'memory: 3.9 GiB of 4 GiB used: ask for 5 GiB to be on the safe side',
  );
  const killed = { reason: 'oom', oomKills: 1, memoryPeakBytes: 4 * GIB } as const;
  const ran = remarks(killed);
  t.equal(
    ran['oom'],
    'memory ran out, the kernel killed 1 process: the limit was 4 GiB; ask for 5 GiB, or make the job need less',
  );
  t.equal(ran['memory_tight'], undefined, 'once is enough');
  t.match(remarks({}, killed)['oom'], 'memory ran out in 1 box (node1)');
  t.match(remarks({ ...killed, memoryLimitBytes: null })['oom'], 'the host or the scheduler had no more');
  t.match(remarks({ reason: 'memory' })['oom'], 'and the job was stopped');
});

t.test('page cache up to the limit is no cause for alarm', async (t) => {
  const { memory_cache: text, memory_tight } = remarks({ chargedPeakBytes: 4 * GIB, memoryPeakBytes: 3 * GIB });
  t.match(text, 'harmless');
  t.equal(memory_tight, undefined);
});

t.test('cores that were idle', async (t) => {
  t.equal(
    remarks({ cores: 16, cpuSec: 1.2 * 3600 })['cpu_unused'],
    'CPU: asked for 16 cores, used 1.2 on average (7.5 %): ask for 2',
  );
  t.match(remarks({ cores: 16, cpuSec: 3600 })['cpu_unused'], 'the job seems able to use only one');
  t.match(remarks({ cpuSec: 360 })['cpu_unused'], 'waits for something else');
  t.strictSame(remarks({ cores: null }), {});
});

t.test('nodes that did nothing', async (t) => {
  const on = (host: string, cpuSec: number) => ({ cores: 4, cpuSec, identity: { host } });
  t.equal(
    remarks(on('n1', 14_000), on('n2', 10), on('n3', 0), on('n4', 14_000))['node_idle'],
    '2 of 4 nodes were almost idle: n2, n3: does the job use them?',
  );
  t.equal(remarks(on('n1', 0), on('n2', 0))['node_idle'], undefined, 'all of them are another matter');
});

t.test('time', async (t) => {
  t.equal(
    remarks({ timeLimitMs: 24 * HOUR, timeUsedMs: HOUR * 0.58 })['time_unused'],
    'time: asked for 1 d, used 34 min 48 s: ask for 45 min, and the job may start earlier',
  );
  t.match(remarks({ timeLimitMs: HOUR, timeUsedMs: 0.95 * HOUR })['time_tight'], 'to be on the safe side');
  t.match(
    remarks({ reason: 'timeout', exitStatus: 124, timeUsedMs: 2 * HOUR })['time_over'],
    'the limit of 2 h ended the job',
  );
  const limits = {
    timeout: { value: 24 * HOUR, hard: null, unit: 'ms', enforcement: 'timer', source: 'default', used: 1 },
  };
  t.equal(
    remarks({ timeLimitMs: 24 * HOUR, timeUsedMs: 1000, limits })['time_unused'],
    undefined,
    'nobody asked for the default',
  );
  t.equal(
    remarks({ timeLimitMs: 24 * HOUR, timeUsedMs: 1000, ended: false })['time_unused'],
    undefined,
    'it is not over',
  );
});

t.test('what slowed the job down', async (t) => {
  t.match(
    remarks({ throttledMs: HOUR / 2, cores: 2, cpuSec: 7200 })['cpu_throttled'],
    'the limit of 2 cores throttled threads for 30 min',
  );
  t.match(remarks({ stalledMs: { cpu: 0, memory: 0, io: HOUR / 2 } })['io_wait'], 'for 50 % of the time');
  t.match(remarks({ stalledMs: { cpu: 0, memory: HOUR / 2, io: null } })['memory_wait'], 'ask for more');
  t.match(remarks({ suspendedMs: HOUR / 2, cpuSec: 1800 })['suspended'], 'suspended for 30 min of 1 h');
});

t.test('limits', async (t) => {
  const limit = (enforcement: string) => ({
    pids: { value: 10, hard: null, unit: 'count', enforcement, source: null, used: 10 },
  });
  t.match(
    remarks({ forksRefused: 3, limits: limit('cgroup2') })['pids_refused'],
    'the limit of 10 refused new ones in 1 box',
  );
  t.match(remarks({ limits: limit('none') })['limit_weak'], 'limit pids: nothing enforced it');
  t.match(remarks({ limits: limit('watchdog') })['limit_weak'], 'proc_box itself');
  t.match(remarks({ reason: 'stdoutlimit' })['stdout_limit'], 'write less');
});

t.test('what the figures do not cover', async (t) => {
  t.match(remarks({ dropped: 3 })['messages_dropped'], '3 messages');
  t.match(remarks({ ended: false, reason: 'running' })['running'], '1 box has not ended');
  t.match(remarks({}, { identity: { restart: 1 } })['restarted'], '1 box of earlier runs');
});

t.test('warnings come first, and thresholds move the others', async (t) => {
  const { notes } = report({ memoryLimitBytes: 64 * GIB, reason: 'timeout', timeUsedMs: 2 * HOUR, dropped: 1 });
  t.strictSame(
    notes.map(({ severity }) => severity),
    ['warning', 'advice', 'info'],
  );
  const strict = { ...DEFAULT_THRESHOLDS, 'memory-unused': 1 };
  t.strictSame(reportOf('1', [facts({ memoryLimitBytes: 64 * GIB })], strict).notes, []);
});

t.test('amounts', async (t) => {
  t.strictSame([0.04, 0.123, 3.24, 47.6].map(round), ['0.04', '0.1', '3.2', '48']);
  t.equal(cores(1), '1 core');
});
