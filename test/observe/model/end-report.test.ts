import t from 'tap';
import { parseEndReport } from '../../../src/observe/model/end-report.js';
import { eventMessage, exitedMessage } from '../../fixtures/observed.js';

const AT_MS = Date.parse('2026-11-23T16:52:42.333Z');
const who = { box: 'b1', job: '1234' };

t.test('an exited event becomes an end report', async (t) => {
  const report = parseEndReport(JSON.stringify(exitedMessage(who, 14, AT_MS)));
  t.match(report, {
    atMs: AT_MS,
    identity: { box: 'b1', job: '1234' },
    exitStatus: 124,
    code: null,
    signal: 'SIGTERM',
    reason: 'timeout',
    by: { via: 'limit' },
    elapsedMs: 600_012,
    userSec: 540.1,
    memoryPeakBytes: 3221225472,
    memoryPeakExact: true,
    oomKills: 0,
    throttledMs: null,
    stalledUsec: { cpu: 120000, memory: 0, io: 5300 },
    limits: { timeout: { value: 600000, used: 600002, enforcement: 'timer' } },
  });
});

t.test('without a cgroup the peak is that of resident memory, and not exact', async (t) => {
  const usage = { memory_peak_bytes: 7, cgroup_memory_peak_bytes: null, cgroup_memory_peak_exact: true };
  t.match(parseEndReport(JSON.stringify(exitedMessage(who, 1, AT_MS, { usage }))), {
    memoryPeakBytes: 7,
    memoryPeakExact: false,
  });
});

t.test('what is no end report is null, and odd fields are unknown', async (t) => {
  t.equal(parseEndReport('{'), null);
  t.equal(parseEndReport(JSON.stringify(eventMessage(who, 1, AT_MS, 'started'))), null);
  const odd = exitedMessage(who, 1, AT_MS, { reason: 'boredom', usage: 3, limits: null, by: 'me', exit_status: 'x' });
  t.match(parseEndReport(JSON.stringify(odd)), { reason: 'unknown', exitStatus: null, by: null, memoryPeakBytes: 0 });
});
