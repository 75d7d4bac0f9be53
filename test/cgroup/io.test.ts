import t from 'tap';
import { formatIoMax, parseIoMax, parseIoStat, parseV1Io } from '../../src/cgroup/io.js';

t.test('io.max: only what was named is written', async (t) => {
  t.equal(formatIoMax({ device: '8:0', rbps: 1048576, wiops: 'unlimited' }), '8:0 rbps=1048576 wiops=max');
  t.equal(formatIoMax({ device: '8:0' }), '8:0');
});

t.test('io.max as the kernel shows it', async (t) => {
  const text = '8:16 rbps=2097152 wbps=max riops=max wiops=120\n8:0 rbps=1 wbps=2 riops=3 wiops=4';
  t.strictSame(parseIoMax(text), [
    { device: '8:16', rbps: 2097152, wbps: 'unlimited', riops: 'unlimited', wiops: 120 },
    { device: '8:0', rbps: 1, wbps: 2, riops: 3, wiops: 4 },
  ]);
  t.strictSame(parseIoMax(''), []);
});

t.test('io.stat; a device without figures is left out', async (t) => {
  t.strictSame(parseIoStat('8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n8:0\n'), [
    { device: '8:16', readBytes: 1459200, writeBytes: 314773504, readCount: 192, writeCount: 353 },
  ]);
});

t.test('the two files of v1', async (t) => {
  const bytes = '254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 12288\n254:0 Total 12288\nTotal 12288';
  const serviced = '254:0 Read 1\n254:0 Write 2\n254:0 Total 3\n8:0 Read 5\nTotal 8';
  t.strictSame(parseV1Io(bytes, serviced), [
    { device: '254:0', readBytes: 4096, writeBytes: 8192, readCount: 1, writeCount: 2 },
    { device: '8:0', readBytes: 0, writeBytes: 0, readCount: 5, writeCount: 0 },
  ]);
  t.strictSame(parseV1Io('Total 0', ''), []);
});
