import t from 'tap';
import { v1Cpu, v1Io, v1Memory, v1Throttling } from '../../src/cgroup/v1-usage.js';
import { readNow } from '../fixtures/at-once.js';
import { cpu, io, memory, V1_FILES } from '../fixtures/cgroup-files.js';

t.test('the files of v1 become the figures and units of v2', async (t) => {
  const dir = t.testdir(V1_FILES);
  t.same(v1Memory(dir, readNow), { ...memory, oomEvents: null }, 'failcnt is no OOM event');
  t.same(v1Cpu(dir, dir, readNow), cpu);
  t.same(v1Io(dir, readNow), io);
});

t.test('without use_hierarchy the figures of the group itself are taken', async (t) => {
  const stat = V1_FILES['memory.stat'].replaceAll(/^total_.*\n/gm, '');
  const dir = t.testdir({ ...V1_FILES, 'memory.stat': stat, 'memory.oom_control': 'under_oom 0\n' });
  t.match(v1Memory(dir, readNow), {
    anonBytes: 2,
    fileBytes: 0,
    shmemBytes: 3,
    mappedBytes: 4,
    swapBytes: 5,
    oomKills: null,
  });
});

t.test('before Linux 5.0 I/O is counted without the groups below', async (t) => {
  const dir = t.testdir({
    'blkio.throttle.io_service_bytes': V1_FILES['blkio.throttle.io_service_bytes_recursive'],
    'blkio.throttle.io_serviced': V1_FILES['blkio.throttle.io_serviced_recursive'],
  });
  t.same(v1Io(dir, readNow), io);
  const half = t.testdir({ 'blkio.throttle.io_serviced': '' });
  t.equal(v1Io(half, readNow), null);
});

t.test('time is counted without a limit of CPUs, too', async (t) => {
  const dir = t.testdir({ 'cpuacct.usage': '5999\n' });
  const none = { periods: null, throttledPeriods: null, throttledUsec: null };
  t.same(v1Cpu(dir, undefined, readNow), { usageUsec: 5, userUsec: null, systemUsec: null, ...none });
  t.same(v1Throttling(undefined, readNow), none);
  t.same(v1Throttling(dir, readNow), none, 'no cpu.stat');
});

t.test('a controller that is not there is null and throws nothing', async (t) => {
  const gone = `${t.testdir({})}/gone`;
  t.same([v1Memory(gone, readNow), v1Cpu(gone, gone, readNow), v1Io(gone, readNow)], [null, null, null]);
  const half = t.testdir({ 'memory.usage_in_bytes': '1\n' });
  t.equal(v1Memory(half, readNow), null, 'no memory.stat');
});
