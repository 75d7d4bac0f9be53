import t from 'tap';
import { factsOfRow } from '../../../src/observe/report/facts-of-row.js';

const ROW = {
  box: 'b1',
  job: '1',
  user: 'u',
  host: 'h',
  state: 'running',
  elapsed_ms: 5,
  cpu_sec: 2,
  cpu_limit_cores: 4,
  memory_peak_bytes: 7,
  memory_limit_bytes: null,
  updated_ms: 9,
};

t.test("a collector's row tells of a box that runs", async (t) => {
  t.match(factsOfRow(ROW), {
    ended: false,
    reason: 'running',
    cores: 4,
    cpuSec: 2,
    memoryPeakBytes: 7,
    memoryLimitBytes: null,
    atMs: 9,
  });
  t.match(factsOfRow({ ...ROW, state: 'ended', reason: 'oom', exit_status: 137, ended_ms: 11 }), {
    ended: true,
    reason: 'oom',
    exitStatus: 137,
    atMs: 11,
  });
});

t.test('what is no row is none', async (t) => {
  for (const odd of [null, [], 'x', {}, { box: 'b' }]) t.equal(factsOfRow(odd), null);
  t.match(factsOfRow({ ...ROW, cpu_sec: 'x', state: 7 }), { cpuSec: 0, state: '7' });
});
