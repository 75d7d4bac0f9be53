import t from 'tap';
import type { Outcome } from '../../src/box/outcome.js';
import { type Circumstances, kernelsMemoryLimit, outOfMemoryText, whyEnded } from '../../src/box/why.js';
import type { LimitStatus } from '../../src/model/sample.js';
import type { Reason, Requester } from '../../src/model/types.js';

const alice: Requester = { via: 'amqp', user: 'alice', messageId: 'm-1' };
const term: Requester = { via: 'signal', signal: 'SIGTERM', sender: { pid: 42, uid: 0, name: 'slurmstepd' } };
const timeout: LimitStatus = { value: 600_000, unit: 'ms', enforcement: 'timer', source: 'default' };
const memory: LimitStatus = { value: 60 * 2 ** 20, unit: 'bytes', enforcement: 'cgroup2', source: 'command line' };

function why(reason: Reason, outcome: Partial<Outcome> = {}, seen: Partial<Circumstances> = {}): string | null {
  return whyEnded(
    { reason, by: null, code: null, signal: null, coreDumped: false, exitStatus: 1, ...outcome },
    {
      limits: new Map(),
      origins: {},
      lastKill: null,
      limitSetBy: new Map(),
      suspended: null,
      used: null,
      oom: { kills: 0, peakBytes: 0 },
      warnSignal: null,
      ...seen,
    },
  );
}

const limits = (name: string, status: LimitStatus) => ({ limits: new Map([[name, status]]) });

t.test('every reason has its line', async (t) => {
  const stdout: LimitStatus = { value: 2 ** 30, unit: 'bytes', enforcement: 'splice', source: 'config file' };
  const pids: LimitStatus = { value: 100, unit: 'count', enforcement: 'watchdog', source: 'environment' };
  const watched: LimitStatus = { ...memory, enforcement: 'watchdog' };
  const cpu: LimitStatus = { value: 60, unit: 'seconds', enforcement: 'rlimit', source: 'command line' };
  const cpuTime: LimitStatus = { value: 5_000, unit: 'ms', enforcement: 'watchdog', source: 'command line' };
  const origins = { stdoutlimit: '/etc/x:3: stdoutlimit', pids: 'PBOX_PIDS', cpu: '--rlimit', memory: '--memory' };
  const cases: readonly (readonly [string | null, string | null])[] = [
    [why('exited', { code: 0 }), null],
    [why('timeout', {}, limits('timeout', timeout)), 'time limit of 10 min (default; --timeout changes it) reached'],
    [why('timeout'), 'time limit of unknown size reached'],
    [
      why('timeout', {}, limits('timeout', { ...timeout, source: 'scheduler' })),
      'time limit of 10 min (a little before the scheduler ends the job; --timeout changes it) reached',
    ],
    [
      why('stdoutlimit', {}, { ...limits('stdoutlimit', stdout), origins }),
      'stdout limit of 1 GiB (/etc/x:3: stdoutlimit) reached',
    ],
    [
      why('memory', {}, { ...limits('memory', watched), origins, used: 64 * 2 ** 20 }),
      'memory limit of 60 MiB (--memory) passed: 64 MiB in use',
    ],
    [why('memory', {}, limits('memory', watched)), 'memory limit of 60 MiB (command line) passed'],
    [
      why('pids', {}, { ...limits('pids', pids), origins, used: 101 }),
      'limit of 100 (PBOX_PIDS) for processes and threads passed: 101 in use',
    ],
    [why('cpu', {}, { ...limits('cpu', cpu), origins }), 'CPU time limit per process of 1 min (--rlimit) reached'],
    [
      why('cpu', {}, { ...limits('cpu-time', cpuTime), origins: { 'cpu-time': '--cpu-time' }, used: 5_001 }),
      'CPU time limit of 5 s (--cpu-time) reached',
    ],
    [why('stopped'), 'the job was stopped'],
    [why('stopped', { by: alice }), 'the job was stopped by user alice, message m-1'],
    [why('stopped', { by: term }), 'the job was stopped because proc_box got SIGTERM from slurmstepd (pid 42, uid 0)'],
    [why('killed', { signal: 9, by: alice }), 'the job was killed with SIGKILL by user alice, message m-1'],
    [why('killed'), 'the job was killed'],
    [why('scheduler'), 'the scheduler ended the job'],
    [
      why('scheduler', { by: term }),
      'the scheduler ended the job: proc_box got SIGTERM from slurmstepd (pid 42, uid 0)',
    ],
    [why('ended'), 'the process has ended; how is unknown because proc_box is not its parent'],
    [why('failed'), "proc_box's keeper has died; how the job ended is unknown"],
  ];
  for (const [found, expected] of cases) t.equal(found, expected);
});

t.test("the job's own exit is told where somebody had a part in it", async (t) => {
  t.equal(
    why('exited', { code: 3 }, { lastKill: { signal: 15, by: alice } }),
    'the job exited with status 3, after it got SIGTERM by user alice, message m-1',
  );
  t.equal(
    why('exited', { code: 0 }, { suspended: { by: { via: 'amqp', user: 'alice' }, ms: 90_000 } }),
    'the job exited with status 0; it was suspended for 1 min 30 s by user alice, a message without an id',
  );
});

t.test('a signal that nobody asked for is told with what it usually means', async (t) => {
  const cases: Record<number, string> = {
    6: 'the job died of SIGABRT: it aborted itself',
    9: 'the job died of SIGKILL: proc_box did not send it; the kernel or somebody on this host did',
    11: 'the job died of SIGSEGV: a segmentation fault',
    13: 'the job died of SIGPIPE: it wrote to a pipe that nobody reads',
    15: 'the job died of SIGTERM: proc_box did not send it',
    24: 'the job died of SIGXCPU: a CPU time limit that proc_box did not set',
    25: 'the job died of SIGXFSZ: proc_box did not send it',
  };
  for (const [signal, text] of Object.entries(cases)) t.equal(why('signaled', { signal: Number(signal) }), text);
  t.equal(why('signaled', { signal: 6, coreDumped: true }), 'the job died of SIGABRT, core dumped: it aborted itself');
  t.equal(
    why('signaled', { signal: 10 }, { warnSignal: 10 }),
    'the job died of SIGUSR1: the signal of --warn-signal, which it did not handle',
  );
  const fsize: LimitStatus = { value: 1024, unit: 'bytes', enforcement: 'rlimit', source: 'command line' };
  t.equal(
    why('signaled', { signal: 25 }, { ...limits('fsize', fsize), origins: { fsize: '--rlimit' } }),
    'the job died of SIGXFSZ: the file size limit of 1 KiB (--rlimit)',
  );
});

t.test('out of memory is told with the limit, or that it was none of the box', async (t) => {
  t.equal(
    outOfMemoryText(1, memory, 60 * 2 ** 20),
    'out of memory: the kernel killed 1 process (limit 60 MiB, peak 60 MiB)',
  );
  t.equal(
    why(
      'oom',
      {},
      { ...limits('memory', memory), origins: { memory: '--memory' }, oom: { kills: 2, peakBytes: 1024 } },
    ),
    'out of memory: the kernel killed 2 processes (limit 60 MiB, peak 1 KiB); the limit came from --memory',
  );
  t.equal(
    why('oom'),
    'out of memory: the kernel killed 1 process (not a limit of this box: the host or an enclosing group ran out, peak 0 B)',
  );
  for (const [enforcement, held] of [
    ['cgroup2', true],
    ['cgroup1', true],
    ['watchdog', false],
    ['none', false],
  ] as const)
    t.equal(kernelsMemoryLimit(new Map([['memory', { ...memory, enforcement }]])) !== null, held, enforcement);
  t.equal(kernelsMemoryLimit(new Map()), null);
});

t.test('a limit that a command has set names who did', async (t) => {
  const set = limits('timeout', { ...timeout, value: 60_000, source: 'command' });
  t.equal(why('timeout', {}, set), 'time limit of 1 min (set_limit) reached');
  t.equal(
    why('timeout', {}, { ...set, limitSetBy: new Map([['timeout', { via: 'amqp', user: 'bob', message_id: '7' }]]) }),
    'time limit of 1 min (set by user bob, message 7) reached',
  );
});
