import t from 'tap';
import { BEGIN, type Lifecycle } from '../../src/box/lifecycle.js';
import { decideOutcome, EXIT, type MainExit } from '../../src/box/outcome.js';
import type { RlimitRequest } from '../../src/options/spec.js';

const alice = { via: 'amqp', user: 'alice' } as const;
const code = (code: number): MainExit => ({ code, signal: null, coreDumped: false });
const signal = (signal: number): MainExit => ({ code: null, signal, coreDumped: false });
const ended: Lifecycle = { ...BEGIN, phase: 'ended', mainEnded: true };
const because = (reason: 'timeout' | 'stopped' | 'killed' | 'stdoutlimit' | 'scheduler'): Lifecycle => ({
  ...ended,
  ending: { reason, by: alice },
});
const none = { rlimits: [], cpuUsec: 0, oomKilled: false, memoryPassed: false };
const cpu: RlimitRequest[] = [{ name: 'cpu', soft: 1, hard: 2 }];

for (let status = 0; status < 256; status++) {
  t.match(
    decideOutcome(ended, code(status), none),
    { exitStatus: status, reason: 'exited', by: null },
    `exit code ${status}`,
  );
}
for (let number = 1; number < 65; number++) {
  t.match(
    decideOutcome(ended, signal(number), none),
    { exitStatus: 128 + number, reason: 'signaled', by: null },
    `signal ${number}`,
  );
}

type Case = readonly [string, Lifecycle, MainExit | null, RlimitRequest[], number, object];
const cases: readonly Case[] = [
  [
    'the wall clock limit gives 124 whatever the job returned',
    because('timeout'),
    code(0),
    [],
    0,
    { exitStatus: 124, reason: 'timeout', code: 0 },
  ],
  [
    'the wall clock limit gives 124 when it took a signal',
    because('timeout'),
    signal(3),
    [],
    0,
    { exitStatus: 124, reason: 'timeout', signal: 3 },
  ],
  [
    'stop keeps the code of a job that ended well',
    because('stopped'),
    code(0),
    [],
    0,
    { exitStatus: 0, reason: 'stopped', by: alice },
  ],
  ['stop gives 128+n', because('stopped'), signal(3), [], 0, { exitStatus: 131, reason: 'stopped' }],
  ['kill gives 137', because('killed'), signal(9), [], 0, { exitStatus: 137, reason: 'killed' }],
  [
    'stdoutlimit gives what the job died of',
    because('stdoutlimit'),
    signal(9),
    [],
    0,
    { exitStatus: 137, reason: 'stdoutlimit' },
  ],
  ['a scheduler that ends the job', because('scheduler'), signal(15), [], 0, { exitStatus: 143, reason: 'scheduler' }],
  [
    'a signal sent by kill is the reason when the job dies of it',
    { ...ended, lastKill: { signal: 15, by: alice } },
    signal(15),
    [],
    0,
    { exitStatus: 143, reason: 'killed', by: alice },
  ],
  [
    'a signal sent by kill is not the reason for another death',
    { ...ended, lastKill: { signal: 15, by: alice } },
    signal(11),
    [],
    0,
    { exitStatus: 139, reason: 'signaled', by: null },
  ],
  [
    'a signal sent by kill is not the reason for an exit',
    { ...ended, lastKill: { signal: 15, by: alice } },
    code(3),
    [],
    0,
    { exitStatus: 3, reason: 'exited', by: null },
  ],
  [
    'SIGXCPU with a CPU limit',
    ended,
    signal(24),
    cpu,
    1_000_000,
    { exitStatus: 152, reason: 'cpu', by: { via: 'limit' } },
  ],
  ['SIGXCPU without a CPU limit of ours', ended, signal(24), [], 9_000_000, { exitStatus: 152, reason: 'signaled' }],
  ['SIGKILL at the hard CPU limit', ended, signal(9), cpu, 2_000_000, { exitStatus: 137, reason: 'cpu' }],
  ['SIGKILL where ticks have run ahead', ended, signal(9), cpu, 1_630_000, { exitStatus: 137, reason: 'cpu' }],
  ['SIGKILL below the hard CPU limit', ended, signal(9), cpu, 1_400_000, { exitStatus: 137, reason: 'signaled' }],
  [
    'SIGKILL without a hard CPU limit',
    ended,
    signal(9),
    [{ name: 'cpu', soft: 1, hard: 'unlimited' }],
    9e9,
    { exitStatus: 137, reason: 'signaled' },
  ],
  ['an unknown end is never 0', ended, null, [], 0, { exitStatus: 125, reason: 'failed', code: null, signal: null }],
  ['an unknown end after a stop is never 0', because('stopped'), null, [], 0, { exitStatus: 125, reason: 'failed' }],
  [
    'neither code nor signal, as of an adopted process, is never 0',
    ended,
    { code: null, signal: null, coreDumped: false },
    [],
    0,
    { exitStatus: 123, reason: 'ended' },
  ],
  ['a core file is told', ended, { ...signal(11), coreDumped: true }, [], 0, { coreDumped: true, exitStatus: 139 }],
];
for (const [title, life, main, rlimits, cpuUsec, expected] of cases) {
  t.match(decideOutcome(life, main, { ...none, rlimits, cpuUsec }), expected, title);
}

t.test('the statuses of proc_box itself are those of timeout(1) and the shell', async (t) => {
  t.strictSame(EXIT, { unknown: 123, timeout: 124, failed: 125, notExecutable: 126, notFound: 127, signalBase: 128 });
});

const over = { ...none, memoryPassed: true };
t.match(
  decideOutcome(ended, code(0), over),
  { exitStatus: 137, reason: 'memory', code: 0, by: { via: 'limit' } },
  'a job that was over its memory limit and ended before a look has the end of one that was killed',
);
t.match(
  decideOutcome(because('stopped'), code(0), over),
  { exitStatus: 0, reason: 'stopped' },
  'the first cause counts',
);
