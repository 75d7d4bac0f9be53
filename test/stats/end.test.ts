import t from 'tap';
import type { Sample } from '../../src/model/sample.js';
import { type Ending, exitedEvent } from '../../src/stats/end.js';
import { cgroupUsage, samplerFixture, status, usage } from '../fixtures/samples.js';

const ending: Ending = {
  exitStatus: 0,
  code: 0,
  signal: null,
  coreDumped: false,
  reason: 'exited',
  by: null,
  why: null,
  elapsedMs: 10_000.4,
  suspendedMs: 99.6,
  refusedCommands: 2,
  left: [],
};

async function final(more: Partial<Sample> = {}): Promise<Sample> {
  const { sampler, sources } = samplerFixture();
  sources.cgroup = cgroupUsage();
  sources.status = { ...status, dropped: 3 };
  await sampler.readFinal();
  const { sample } = sampler.final(usage({ userUsec: 4e6, systemUsec: 1e6, stdoutBytes: 77 }));
  return { ...sample, ...more };
}

t.test('the report has the outcome and the totals of the final sample', async (t) => {
  const sample = await final();
  const event = exitedEvent(sample, { ...ending, by: { via: 'amqp', user: 'alice' }, why: 'because' });
  t.match(event, {
    event: 'exited',
    exit_status: 0,
    code: 0,
    reason: 'exited',
    by: { via: 'amqp', user: 'alice' },
    why: 'because',
    elapsed_ms: 10_000,
    suspended_ms: 100,
    refused_commands: 2,
    dropped: 3,
    left: [],
  });
  t.match(event.usage, {
    user_sec: sample.CPUTimes.user,
    system_sec: sample.CPUTimes.system,
    memory_peak_bytes: sample.MemoryPeak.rss,
    cgroup_memory_peak_bytes: 9000,
    tasks_peak: 11,
    forks_refused: 2,
    stdout_bytes: 77,
    write_bytes: sample.IOCounters.write_bytes,
    oom: { events: 3, kills: 1 },
  });
  const cpuSec = sample.CPUTimes.user + sample.CPUTimes.system;
  t.ok(Math.abs(event.usage.cpu_percent - cpuSec * 10) < 0.2, 'of the elapsed time');
  t.equal(exitedEvent(sample, { ...ending, elapsedMs: 0 }).usage.cpu_percent, 0);
});

t.test('what SIGKILL has not ended is named', async (t) => {
  const one = { pid: 7, name: 'x', reason: 'NFS', more: 1 };
  t.strictSame(exitedEvent(await final(), { ...ending, left: [one] }).left, [{ pid: 7, name: 'x', reason: 'NFS' }]);
});

t.test('each limit has what was used of it, where that is what the limit counts', async (t) => {
  const limit = (enforcement: 'rlimit' | 'cgroup2' | 'watchdog' | 'timer') =>
    ({ value: 5, unit: 'count', enforcement }) as const;
  const sample = await final({
    Limits: {
      timeout: limit('timer'),
      memory: limit('cgroup2'),
      'memory-high': limit('cgroup2'),
      pids: limit('cgroup2'),
      'cpu-time': limit('watchdog'),
      nofile: limit('rlimit'),
      cpuset: limit('cgroup2'),
    },
  });
  const { limits, usage: total } = exitedEvent(sample, ending);
  t.match(limits, {
    timeout: { value: 5, used: 1500 },
    memory: { used: 9000 },
    'memory-high': { used: 9000 },
    pids: { used: 11 },
    'cpu-time': { used: Math.round((total.user_sec + total.system_sec) * 1000) },
    nofile: { used: null },
    cpuset: { used: null },
  });
  const watched = exitedEvent(await final({ Limits: { memory: limit('watchdog') } }), ending);
  t.equal(watched.limits['memory']!.used, watched.usage.memory_peak_bytes, 'the watchdog counts processes');
});

t.test("pressure is told where it is the box's own", async (t) => {
  const line = (total_usec: number) => ({ avg10: 0, avg60: 0, total_usec });
  const pressure = { cpu: { some: line(1), full: null }, memory: { some: line(2), full: line(3) }, io: null };
  t.strictSame(exitedEvent(await final({ Pressure: { scope: 'cgroup', ...pressure } }), ending).usage.stalled_usec, {
    cpu: { some: 1, full: null },
    memory: { some: 2, full: 3 },
    io: null,
  });
  t.equal(exitedEvent(await final({ Pressure: { scope: 'host', ...pressure } }), ending).usage.stalled_usec, null);
  t.equal(exitedEvent(await final({ Pressure: null }), ending).usage.stalled_usec, null);
});
