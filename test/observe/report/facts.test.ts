import t from 'tap';
import { parseEndReport } from '../../../src/observe/model/end-report.js';
import type { ObservedSample } from '../../../src/observe/model/observed.js';
import { parseValue } from '../../../src/observe/model/parse.js';
import { coresOf, factsOfEnd, factsOfSample } from '../../../src/observe/report/facts.js';
import { exitedMessage, sampleMessage } from '../../fixtures/observed.js';

t.test('an end report gives the facts of its box', async (t) => {
  const usage = {
    user_sec: 10,
    system_sec: 2,
    memory_peak_bytes: 100,
    cgroup_memory_peak_bytes: 300,
    forks_refused: 4,
    stalled_usec: { cpu: null, memory: { some: 2000 }, io: { some: 5000 } },
  };
  const limits = {
    cpus: { value: 1.5, unit: 'cpus', enforcement: 'cgroup2', used: 0.4 },
    timeout: { value: 600_000, unit: 'ms', enforcement: 'timer', used: 1234 },
  };
  const found = factsOfEnd(parseEndReport(JSON.stringify(exitedMessage({ box: 'b1' }, 9, 1e12, { usage, limits })))!);
  t.match(found, {
    ended: true,
    cpuSec: 12,
    cores: 1.5,
    memoryPeakBytes: 100,
    chargedPeakBytes: 300,
    memoryLimitBytes: null,
    timeUsedMs: 1234,
    timeLimitMs: 600_000,
    forksRefused: 4,
    stalledMs: { cpu: null, memory: 2, io: 5 },
  });
});

t.test('a sample gives those of a box that runs', async (t) => {
  const sample = parseValue(sampleMessage({ box: 'b1' }, 3, 1e12)) as ObservedSample;
  const found = factsOfSample(sample, 12_000);
  t.match(found, {
    ended: false,
    reason: 'running',
    elapsedMs: 12_000,
    timeUsedMs: 10_002,
    timeLimitMs: 600_000,
    memoryPeakBytes: 150_000_640,
    stalledMs: { cpu: 11_118.724 },
  });
  t.equal(found.limits['timeout']!.used, 10_002);
});

t.test('cores come from cpus, or else from cpuset', async (t) => {
  const limit = (value: string | number) => ({ value, hard: null, unit: 'list', enforcement: 'cgroup2', source: null });
  t.equal(coresOf({ cpus: limit(2), cpuset: limit('0-7') }), 2);
  t.equal(coresOf({ cpuset: limit('0-3,8,10-11') }), 7);
  for (const odd of ['', 'x', '3-1', '0-99999999', 7]) t.equal(coresOf({ cpuset: limit(odd) }), null, `${odd}`);
  t.equal(coresOf({}), null);
});
