import { writeFileSync } from 'node:fs';
import t from 'tap';
import { parseTable, pidsUsage, readNumber } from '../../src/cgroup/usage.js';
import { v1Cpu, v1Io, v1Memory } from '../../src/cgroup/v1-usage.js';
import { v2Usage } from '../../src/cgroup/v2-usage.js';
import { createReader } from '../../src/kernel/files.js';
import { listProcesses } from '../../src/kernel/procs.js';

/** Files as kernels give them, cut to the lines around those that are read. */

const V2 = {
  'memory.current': '331067392\n',
  'memory.peak': '360710144\n',
  'memory.swap.current': '4096\n',
  'memory.stat': [
    'anon 120000512',
    'file 209756160',
    'kernel 1310720',
    'kernel_stack 98304',
    'pagetables 425984',
    'sec_pagetables 0',
    'percpu 8192',
    'sock 0',
    'vmalloc 0',
    'shmem 20480',
    'file_mapped 24477696',
    'file_dirty 0',
    'anon_thp 0',
    'inactive_anon 1',
    'slab_reclaimable 100',
    'slab_unreclaimable 200',
    'slab 300',
    'workingset_refault_anon 0',
    '',
  ].join('\n'),
  'memory.events': 'low 0\nhigh 0\nmax 17\noom 3\noom_kill 3\noom_group_kill 1\n',
  'cpu.stat':
    'usage_usec 6110123\nuser_usec 5920100\nsystem_usec 190023\nnice_usec 0\ncore_sched.force_idle_usec 0\n' +
    'nr_periods 100\nnr_throttled 12\nthrottled_usec 410200\nnr_bursts 0\nburst_usec 0\n',
  'io.stat': '8:0 rbytes=4161536 wbytes=209756160 rios=61 wios=220 dbytes=0 dios=0\n254:1 \n',
  'pids.current': '3\n',
  'pids.peak': '9\n',
  'pids.events': 'max 4\n',
};

const V1 = {
  'memory.usage_in_bytes': '331067392\n',
  'memory.max_usage_in_bytes': '360710144\n',
  'memory.kmem.usage_in_bytes': '1310720\n',
  'memory.failcnt': '99\n',
  'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
  'memory.stat': [
    'cache 1',
    'rss 2',
    'rss_huge 0',
    'shmem 3',
    'mapped_file 4',
    'swap 5',
    'hierarchical_memory_limit 9223372036854771712',
    'total_cache 209756160',
    'total_rss 120000512',
    'total_rss_huge 0',
    'total_shmem 20480',
    'total_mapped_file 24477696',
    'total_swap 4096',
    '',
  ].join('\n'),
  'cpuacct.usage': '6110123999\n',
  'cpuacct.usage_user': '5920100999\n',
  'cpuacct.usage_sys': '190022999\n',
  'cpu.stat': 'nr_periods 100\nnr_throttled 12\nthrottled_time 410200000\n',
  'blkio.throttle.io_service_bytes_recursive':
    '8:0 Read 4161536\n8:0 Write 209756160\n8:0 Sync 0\n8:0 Total 213917696\nTotal 213917696\n',
  'blkio.throttle.io_serviced_recursive': '8:0 Read 61\n8:0 Write 220\n8:0 Total 281\nTotal 281\n',
  'pids.current': '3\n',
  'pids.peak': '9\n',
  'pids.events': 'max 4\n',
};

const memory = {
  currentBytes: 331067392,
  peakBytes: 360710144,
  swapBytes: 4096,
  anonBytes: 120000512,
  fileBytes: 209756160 - 20480,
  shmemBytes: 20480,
  mappedBytes: 24477696,
  kernelBytes: 1310720,
  oomEvents: 3,
  oomKills: 2,
};
const cpu = {
  usageUsec: 6110123,
  userUsec: 5920100,
  systemUsec: 190022,
  periods: 100,
  throttledPeriods: 12,
  throttledUsec: 410200,
};
const io = [{ device: '8:0', readBytes: 4161536, writeBytes: 209756160, readCount: 61, writeCount: 220 }];
const pids = { current: 3, peak: 9, refused: 4 };
const ALL: ReadonlySet<string> = new Set(['memory', 'cpu', 'io', 'pids']);

t.test('v2 and v1 files give the same figures in the same units', (t) => {
  const v2 = v2Usage({ dir: t.testdir(V2), controllers: ALL }, createReader());
  t.same(v2, { memory, cpu: { ...cpu, systemUsec: 190023 }, io, pids });
  const dir = t.testdir(V1);
  t.same(v1Memory(dir, createReader()), { ...memory, oomEvents: null }, 'failcnt is no OOM event');
  t.same(v1Cpu(dir, dir, createReader()), cpu);
  t.same(v1Io(dir, createReader()), io);
  t.same(pidsUsage(dir, createReader()), pids);
  t.end();
});

t.test('older kernels have less: no peaks, no sum of kernel memory, no throttling without the controller', (t) => {
  const { 'memory.peak': _, 'pids.peak': __, 'memory.swap.current': ___, ...files } = V2;
  const dir = t.testdir({
    ...files,
    'memory.stat': V2['memory.stat'].replace('kernel 1310720\n', ''),
    'cpu.stat': 'usage_usec 5\nuser_usec 3\nsystem_usec 2\n',
  });
  const usage = v2Usage({ dir, controllers: ALL }, createReader());
  t.match(usage.memory, { peakBytes: null, swapBytes: null, kernelBytes: 300 + 98304 + 425984 + 8192 });
  t.match(usage.cpu, { usageUsec: 5, periods: null, throttledPeriods: null, throttledUsec: null });
  t.match(usage.pids, { peak: null });
  t.end();
});

t.test('a controller that is not there, or disappears, is null and throws nothing', (t) => {
  const dir = t.testdir({ 'cpu.stat': V2['cpu.stat'] });
  t.match(v2Usage({ dir, controllers: new Set() }, createReader()), {
    memory: null,
    io: null,
    pids: null,
    cpu: { usageUsec: 6110123 },
  });
  t.same(v2Usage({ dir: `${dir}/gone`, controllers: ALL }, createReader()), {
    memory: null,
    cpu: null,
    io: null,
    pids: null,
  });
  const gone = `${dir}/gone`;
  t.same(
    [
      v1Memory(gone, createReader()),
      v1Cpu(gone, gone, createReader()),
      v1Io(gone, createReader()),
      pidsUsage(gone, createReader()),
    ],
    [null, null, null, null],
  );
  t.end();
});

t.test('a number file says null for max and for what it cannot read', (t) => {
  const dir = t.testdir({ max: 'max\n', number: '12\n', empty: '' });
  t.same(
    ['max', 'number', 'empty', 'none'].map((name) => readNumber(`${dir}/${name}`)),
    [null, 12, null, null],
  );
  t.end();
});

t.test('a table finds whole keys at the start of a line only', (t) => {
  const table = parseTable('file_mapped 7\nfile 9\ntotal_file 11\nodd x\nlast 18446744073709551615');
  t.same(
    ['file', 'file_mapped', 'mapped', 'total_file', 'odd', ''].map((key) => table?.get(key)),
    [9, 7, null, 11, null, null],
  );
  t.equal(table?.get('last'), 2 ** 64);
  t.equal(parseTable('')?.get('file'), null);
  t.end();
});

t.test('the list of a group has each process once, also those in groups below', (t) => {
  const dir = t.testdir({
    'cgroup.procs': '12\n7\n12\n',
    inner: { 'cgroup.procs': '30\n', threaded: {} },
    other: { 'cgroup.procs': '' },
  });
  t.same(listProcesses(`${dir}/cgroup.procs`), [12, 7, 30]);
  t.same(listProcesses(`${dir}/other/cgroup.procs`), []);
  t.equal(listProcesses(`${dir}/none/cgroup.procs`), null);
  t.end();
});

t.test('what cannot be read is unknown', (t) => {
  const dir = t.testdir({ number: {} });
  t.equal(readNumber(`${dir}/number`), null, 'a directory');
  t.equal(readNumber(`${dir}/none`), null, 'nothing');
  t.end();
});

t.test('a reader gives the text of now, and a file that appears later', (t) => {
  const dir = t.testdir({ one: 'first\n' });
  const read = createReader();
  t.same(read(dir, 'one', 'two'), ['first', null]);
  writeFileSync(`${dir}/one`, '2\n');
  writeFileSync(`${dir}/two`, `${'x'.repeat(20_000)}\n`);
  t.same(read(dir, 'one', 'two'), ['2', 'x'.repeat(20_000)]);
  t.end();
});
