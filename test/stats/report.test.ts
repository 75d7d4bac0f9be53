import t from 'tap';
import type { EventHead, Exited } from '../../src/model/event.js';
import { formatReport } from '../../src/stats/report.js';
import { endedByTimeout, identity } from '../fixtures/samples.js';

const head: EventHead = { version: 1, sequence: 9, time: '2026-11-23T16:42:42.333Z', identity, state: 'ended' };
const report = (more: Partial<Exited> = {}, other: Partial<EventHead> = {}) =>
  formatReport({ ...head, ...endedByTimeout, ...more, ...other });

t.test('the report of a job that ran into its timeout', (t) => {
  t.equal(
    report(),
    `proc_box: end of job 1234_7
  box          b0x1 on node1, user alice
  scheduler    slurm, cluster c1, step 0, task 3
  ended        timeout: SIGKILL
  asked by     a limit
  exit status  124
  elapsed      11 min 40 s, 1 min 40 s of it suspended
  CPU          10 min 20 s user + 10 s system, 90 % of one core
  memory peak  2.8 GiB, largest process 2.8 GiB
  read         4 KiB from storage in 12 calls
  written      700 MiB to storage in 3400 calls
  stdout       4.8 MiB
  processes    1 at most, threads 1 at most
  refused      2 commands
  limit                        value             used     %  held by
  timeout                     10 min           10 min   100  timer
  stdoutlimit                100 GiB          4.8 MiB     0  splice
  nofile                   1024:4096                -     -  rlimit
  core                 0 B:unlimited                -     -  rlimit
`,
  );
  t.end();
});

t.test('no line is wider than 80 columns, whatever the names are', (t) => {
  const long = 'n'.repeat(300);
  const limit = { value: `${long}`, unit: 'list', enforcement: 'cgroup2', used: null } as const;
  const text = report(
    { by: { via: 'amqp', message_id: `${long}\u001b[2J\n`, user: long }, limits: { [long]: limit } },
    { identity: { ...identity, job: long, box: long, cluster: long } },
  );
  t.ok(text.endsWith('\n'));
  t.same(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
  t.notOk(text.includes('\u001b'), 'control characters do not reach the terminal');
  t.end();
});

t.test('tells how it ended and who asked', (t) => {
  const cases: readonly (readonly [Partial<Exited>, RegExp])[] = [
    [{ signal: null, code: 3, reason: 'exited', by: null }, /ended +exited: code 3\n {2}exit status/],
    [{ signal: null, code: null, reason: 'failed' }, /ended +failed: how is unknown\n/],
    [{ signal: 'SIGSEGV', core_dumped: true, reason: 'signaled' }, /ended +signaled: SIGSEGV, core dumped\n/],
    [{ by: { via: 'amqp', message_id: 'm1', user: 'ops' } }, /asked by +user ops, message m1\n/],
    [{ by: { via: 'amqp' } }, /asked by +a message without an id\n/],
    [{ by: { via: 'signal', signal: 'SIGTERM' } }, /asked by +SIGTERM\n/],
    [{ by: { via: 'box' } }, /asked by +proc_box\n/],
    [{ dropped: 4 }, /dropped +4 messages to the broker\n/],
    [{ limits: {}, refused_commands: 0 }, /threads 1 at most\n$/],
  ];
  for (const [change, expected] of cases) t.match(report(change), expected);
  const identityAlone = { ...identity, scheduler: 'none', cluster: null, step: null, task: null } as const;
  t.match(report({}, { identity: identityAlone }), /scheduler +none\n/);
  t.end();
});

t.test('tells what the control groups have counted', (t) => {
  const { usage } = endedByTimeout;
  const text = report({
    usage: {
      ...usage,
      cgroup_memory_peak_bytes: 3.5 * 2 ** 30,
      cgroup_memory_peak_exact: true,
      tasks_peak: 64,
      forks_refused: 1200,
      oom: { events: 1, kills: 1 },
      throttling: { periods: 7000, throttled_periods: 6500, throttled_ms: 3_605_000 },
      stalled_usec: { cpu: { some: 65e6, full: 0 }, memory: { some: 0, full: 0 }, io: { some: 2_500_000, full: null } },
    },
    limits: {
      memory: { value: 4 * 2 ** 30, unit: 'bytes', enforcement: 'cgroup2', used: 3.5 * 2 ** 30 },
      cpus: { value: 2, unit: 'cpus', enforcement: 'cgroup2', used: 0.9 },
    },
  });
  t.match(text, '  throttled    1 h 00 min 05 s, in 6500 of 7000 periods\n');
  t.match(text, '  with cache   3.5 GiB with page cache and kernel memory\n');
  t.match(text, '  OOM          1 process killed by the kernel\n');
  t.match(text, '  processes    1 at most, threads 64 at most, 1200 forks refused\n');
  t.match(text, '  stalled for  CPU 1 min 05 s, memory 0 ms, I/O 2.50 s\n');
  t.match(text, /memory +4 GiB +3.5 GiB +88 {2}cgroup2\n/);
  t.same(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
  t.match(
    report({ usage: { ...usage, cgroup_memory_peak_bytes: 5 } }),
    '  with cache   5 B with page cache and kernel memory, as sampled\n',
  );
  t.match(report({ usage: { ...usage, oom: { events: null, kills: 3 } } }), 'OOM          3 processes killed');
  t.end();
});

t.test('limits are shown in their units', (t) => {
  const shown = (value: number | string, unit: Exited['limits'][string]['unit'], used: number | null = null) =>
    /\n {2}x .*/
      .exec(report({ limits: { x: { value, unit, enforcement: 'cgroup1', used } } }))?.[0]
      .trim()
      .split(/ {2,}/)
      .slice(1);
  t.same(shown(2e6, 'usec'), ['2 s', '-', '-', 'cgroup1']);
  t.same(shown(60, 'seconds', 6), ['1 min', '6 s', '10', 'cgroup1']);
  t.same(shown(1024, 'bytes/s'), ['1 KiB/s', '-', '-', 'cgroup1']);
  t.same(shown(7, 'count/s'), ['7/s', '-', '-', 'cgroup1']);
  t.same(shown(0.5, 'cpus', 0.4999), ['0.5', '0.5', '100', 'cgroup1']);
  t.same(shown('0-3', 'list'), ['0-3', '-', '-', 'cgroup1']);
  t.same(shown(-5, 'nice'), ['-5', '-', '-', 'cgroup1']);
  t.same(shown(9, 'priority'), ['9', '-', '-', 'cgroup1']);
  t.same(shown('unlimited', 'bytes', 1024), ['unlimited', '1 KiB', '-', 'cgroup1']);
  t.end();
});
