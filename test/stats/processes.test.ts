import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { hostSample, Keeper, type KeeperEvent, launchKeeper, monotonicMs } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import { hostFacts } from '../../src/kernel/host.js';
import { boxPressure } from '../../src/kernel/pressure.js';
import { createSampler, type Sampler, type TakenSample } from '../../src/stats/sampler.js';
import { identity, status } from '../fixtures/samples.js';
import { schemaErrors } from '../fixtures/schemas.js';

/** Samples of real processes under a real keeper. */

const native = dirname(createRequire(import.meta.url).resolve('cgroup-utils-native'));
const executable = `${native}/build/Release/proc_box`;

interface Job {
  readonly sampler: Sampler;
  readonly keeper: Keeper;
  readonly pid: number;
  /** The final sample, when nothing of the job is left. */
  readonly ended: Promise<TakenSample>;
}

function runJob(t: Test, script: string): Promise<Job> {
  return new Promise((started, failed) => {
    let sequence = 0;
    let sampler: Sampler;
    let end: (taken: TakenSample) => void;
    const ended = new Promise<TakenSample>((resolve) => {
      end = resolve;
    });
    const onEvent = (event: KeeperEvent) => {
      switch (event.type) {
        case 'hello':
          return keeper.start({
            commandIndex: event.argv.indexOf('/bin/sh'),
            rlimits: [],
            cgroup: { forkInto: null, tasks: [], freezer: null, killFile: null },
            stdoutMaxBytes: 0,
          });
        case 'failed':
          return failed(new Error(`${event.step}: ${event.code}`));
        case 'started':
          sampler = createSampler({
            identity,
            pid: event.pid,
            startedMs: event.atMs,
            stdoutMode: 'other',
            userData: null,
            rows: 3,
            pss: true,
            sample: (options) => keeper.sample(options),
            status: () => status,
            hostFacts: () => hostFacts('node1'),
            hostSample,
            cgroup: noCgroup('none in this test'),
            rowsIntervalMs: 0,
            log: { warn: (message) => t.fail(message) },
            pressure: boxPressure(null),
            sequence: () => ++sequence,
            emit: () => {},
            monotonicMs,
          });
          return started({ sampler, keeper, pid: event.pid, ended });
        case 'empty':
          return end(sampler.final(event.usage));
        default:
          return;
      }
    };
    const words = ['proc_box', '--', '/bin/sh', '-c', script];
    const keeper = new Keeper(launchKeeper(executable, words, [`PATH=${process.env['PATH']}`]), onEvent);
    t.teardown(() => keeper.close());
  });
}

t.test('counts every descendant: grandchildren, sessions of their own, daemons', async (t) => {
  const { sampler, keeper, pid, ended } = await runJob(
    t,
    'sh -c "sleep 1000 & sleep 1000; true" & setsid sleep 1000 & (sleep 1000 &); wait',
  );
  const expected = ['sh', 'sh', 'sleep', 'sleep', 'sleep', 'sleep'];
  let sample = (await sampler.take('start')).sample;
  while (JSON.stringify(names(sample.ChildPids, pid)) !== JSON.stringify(expected)) {
    sample = (await sampler.take('request')).sample;
  }
  t.same(schemaErrors('sample', sample), []);
  t.equal(sample.Pid, pid);
  t.notOk(sample.ChildPids?.includes(pid), 'the main process is Pid, not a child');
  t.notOk(sample.ChildPids?.includes(keeper.pid), 'the keeper is not of the box');
  t.equal(sample.Counts.processes, 6);
  // A shell that is about to become `sleep` may have been one more.
  const peak = Number(sample.Counts.processes_peak);
  t.ok(peak >= 6 && peak <= 8, `peak ${peak}`);
  t.equal(sample.NumThreads, 6);
  t.equal(sample.Processes.length, 3);
  const { anon, file, shmem, pss } = sample.MemoryDetail;
  t.ok(Math.abs(Number(anon) + Number(file) + Number(shmem) - sample.Memory.rss) <= sample.Memory.rss / 2);
  t.ok(Number(pss) > 0 && Number(pss) < sample.Memory.rss, 'shared pages count once');
  await keeper.kill();
  const final = (await ended).sample;
  t.same(schemaErrors('sample', final), []);
  t.match(final, {
    Cause: 'final',
    Memory: { rss: 0 },
    NumThreads: 0,
    ChildPids: null,
    Counts: { processes_peak: peak },
  });
  t.ok(final.MemoryPeak.rss >= sample.Memory.rss);
});

t.test('keeps the CPU time of a child that has ended', async (t) => {
  const { sampler, ended } = await runJob(t, 'sh -c "ulimit -t 1; while :; do :; done" 2>/dev/null; true');
  const first = (await sampler.take('start')).sample;
  const final = (await ended).sample;
  const sec = final.CPUTimes.user + final.CPUTimes.system;
  t.ok(sec >= 0.8 && sec < 1.5, `1 s of CPU (${sec})`);
  t.ok(final.CPUPercent > 20, 'the last interval has it');
  t.ok(first.CPUTimes.user <= final.CPUTimes.user);
});

function names(pids: readonly number[] | null, main: number): string[] {
  return [main, ...(pids ?? [])]
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      } catch {
        return 'ended';
      }
    })
    .sort();
}
