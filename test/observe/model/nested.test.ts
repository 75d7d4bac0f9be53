import t from 'tap';
import { readLimits, readPressure, readProcesses } from '../../../src/observe/model/nested.js';

t.test('limits are read by name, and what is no limit is left out', async (t) => {
  const limits = readLimits({
    memory: { value: 1024, unit: 'bytes', enforcement: 'cgroup2', source: 'command line' },
    nofile: { value: 'unlimited', hard: 4096, unit: 'count', enforcement: 'rlimit' },
    constructor: { value: 1 },
    'DROP TABLE': { value: 1 },
    cpus: 3,
  });
  t.strictSame(Object.keys(limits), ['memory', 'nofile', 'constructor']);
  t.same(limits['memory'], { value: 1024, hard: null, unit: 'bytes', enforcement: 'cgroup2', source: 'command line' });
  t.equal(limits['nofile']?.value, 'unlimited');
  t.equal(limits['toString'], undefined, 'no prototype');
  t.strictSame(Object.keys(readLimits('x')), []);
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`limit${index}`, { value: 1 }]));
  t.ok(Object.keys(readLimits(many)).length <= 64);
});

t.test('pressure says whose it is, and null for a resource without any', async (t) => {
  const { pressure, pressureScope } = readPressure({
    scope: 'cgroup',
    cpu: { some: { avg10: 1.5, avg60: 2, total_usec: 30 }, full: null },
    memory: null,
  });
  t.equal(pressureScope, 'cgroup');
  t.strictSame(pressure.cpu, { someAvg10: 1.5, someTotalUsec: 30, fullAvg10: null, fullTotalUsec: null });
  t.equal(pressure.memory, null);
  t.equal(pressure.io, null);
  t.equal(readPressure(null).pressureScope, null);
});

t.test('processes without a pid or a name are left out', async (t) => {
  const rows = readProcesses([
    { pid: 7, ppid: 1, name: 'job', state: 'R', threads: 2, rss: 4096, user: 1, system: 0.5 },
    { pid: 'x', name: 'job' },
    { pid: 8 },
    null,
  ]);
  t.strictSame(rows, [{ pid: 7, ppid: 1, name: 'job', state: 'R', threads: 2, rssBytes: 4096, cpuSec: 1.5 }]);
  t.equal(readProcesses(Array.from({ length: 999 }, (_, pid) => ({ pid, name: 'x' }))).length, 64);
});
