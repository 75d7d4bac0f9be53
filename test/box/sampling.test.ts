import t, { type Test } from 'tap';
import type { ResourceControl } from '../../src/box/resource-control.js';
import { Sampling } from '../../src/box/sampling.js';
import type { ProcessInfo, Sample, SampleCause } from '../../src/model/sample.js';
import { processInfo } from '../../src/stats/assemble.js';
import type { Sampler, TakenSample } from '../../src/stats/sampler.js';
import { livingBox } from '../fixtures/life.js';
import { row } from '../fixtures/samples.js';

const process = (pid: number, rss: number) => processInfo(row(pid, rss));

/** Samples of a box whose processes are what the test says. */
function sampled(t: Test) {
  const parts = livingBox(t);
  const causes: SampleCause[] = [];
  const noticed: (readonly ProcessInfo[])[] = [];
  const lost: string[] = [];
  const box = { processes: [process(1, 100)] as ProcessInfo[], fails: false };
  const resources = { lost: () => lost.splice(0) } as unknown as ResourceControl;
  const one = new Sampling({ ...parts, resources, onTaken: (processes) => noticed.push(processes) });
  let last: TakenSample | undefined;
  const sampler: Sampler = {
    async take(cause) {
      causes.push(cause);
      if (box.fails) throw new Error('read /proc: EMFILE');
      last = { sample: { Processes: box.processes } as unknown as Sample, cgroup: null } as unknown as TakenSample;
      return last;
    },
    readFinal: async () => null,
    final: () => last!,
    save: () => {
      throw new Error('nobody saves in this test');
    },
    get last() {
      return last;
    },
  };
  return { ...parts, sampling: one, sampler, causes, noticed, lost, box };
}

t.test('the first sample at the start, then one per interval', async (t) => {
  const { sampling, sampler, causes, time } = sampled(t);
  sampling.start(sampler);
  t.strictSame(causes, [], 'nobody has asked for one');
  sampling.every(1000);
  t.strictSame(causes, ['start']);
  await sampling.first;
  await time.advance(2500);
  t.strictSame(causes, ['start', 'interval', 'interval']);
  sampling.ticker.every(100);
  await time.advance(100);
  t.equal(causes.length, 4, 'at another rate');
});

t.test('before the job has started there are no samples and no warnings', async (t) => {
  const { sampling, noticed, lines } = sampled(t);
  t.equal(await sampling.take('request'), undefined);
  t.equal(sampling.last, undefined);
  t.strictSame([sampling.largest, noticed, lines], [[], [], []]);
});

t.test('a failing sampler leads to a warning', async (t) => {
  const { sampling, sampler, box, lines, noticed } = sampled(t);
  sampling.start(sampler);
  box.fails = true;
  t.equal(await sampling.take('interval'), undefined);
  t.strictSame(lines, ['proc_box: warn: no sample: read /proc: EMFILE']);
  box.fails = false;
  t.match(await sampling.take('interval'), { Processes: [{ pid: 1 }] });
  t.equal(noticed.length, 1);
});

t.test('when the largest process has gone, incidents get the processes of the sample before', async (t) => {
  const { sampling, sampler, box, noticed } = sampled(t);
  sampling.start(sampler);
  const before = box.processes;
  await sampling.take('interval');
  const grown = [process(1, 300), process(2, 10)];
  box.processes = grown;
  await sampling.take('interval');
  box.processes = [process(2, 10)];
  await sampling.take('interval');
  t.strictSame(noticed, [before, grown, grown]);
});

t.test('a sample that finds a group gone leads to a warning', async (t) => {
  const { sampling, sampler, lost, lines } = sampled(t);
  sampling.start(sampler);
  lost.push('memory may not be held any more');
  await sampling.take('interval');
  await sampling.take('interval');
  t.strictSame(lines, ['proc_box: warn: memory may not be held any more']);
});

t.test('a sample after the end is not searched for incidents', async (t) => {
  const { sampling, sampler, life, noticed } = sampled(t);
  sampling.start(sampler);
  void life.apply({ type: 'ended' });
  t.match(await sampling.take('stop'), { Processes: [{ pid: 1 }] });
  t.strictSame(noticed, []);
});
