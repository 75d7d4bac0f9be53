import t from 'tap';
import {
  cpusOutside,
  parseCpuList,
  parseCpus,
  parseIoMax,
  parseMemory,
  parseSwap,
} from '../../src/options/resources.js';

const NONE = ['unlimited', 'infinity'];

t.test('memory is a size of at least 1 MiB, or none', async (t) => {
  t.equal(parseMemory('1M'), 2 ** 20);
  t.equal(parseMemory('1.5G'), 1.5 * 2 ** 30);
  for (const text of [...NONE, '0']) t.equal(parseMemory(text), 'unlimited', text);
  for (const text of ['1023k', '1'])
    t.throws(() => parseMemory(text), {
      name: 'SpecError',
      message: `"${text}" is too small: expected at least 1M, for example "512M"`,
    });
  t.throws(() => parseMemory('much'), { name: 'SpecError', message: /"much" is not a size/ });
});

t.test('swap of 0 is no swap at all', async (t) => {
  t.equal(parseSwap('0'), 0);
  t.equal(parseSwap('1k'), 1024);
  for (const text of NONE) t.equal(parseSwap(text), 'unlimited', text);
  t.throws(() => parseSwap('-1'), { name: 'SpecError' });
});

t.test('CPUs are cores and parts of them', async (t) => {
  for (const [text, cpus] of [
    ['1', 1],
    ['0.01', 0.01],
    ['1.5', 1.5],
    ['100000', 100_000],
  ] as const)
    t.equal(parseCpus(text), cpus);
  for (const text of [...NONE, '0']) t.equal(parseCpus(text), 'unlimited', text);
  for (const text of ['0.001', '100001', '1e3', '-1', '.5', '1.', '', 'two', '1 '])
    t.throws(
      () => parseCpus(text),
      { name: 'SpecError', message: `"${text}" is not a number of CPUs from 0.01 to 100000: for example "1.5"` },
      text,
    );
});

t.test('a list of CPUs is brought into its shortest form', async (t) => {
  for (const [text, list] of [
    ['0', '0'],
    ['3,1,2', '1-3'],
    ['0-3,5', '0-3,5'],
    ['5,0-3,2-4', '0-5'],
    ['7,7,7-7', '7'],
    ['00-01', '0-1'],
  ] as const)
    t.equal(parseCpuList(text), list, text);
  for (const text of ['', ',', '1,', 'a', '3-1', '1-', '-1', '1-2-3', '1 2', '100000', '0x1'])
    t.throws(
      () => parseCpuList(text),
      { name: 'SpecError', message: /is not a list of CPUs: expected numbers and ranges, for example "0-3,5"$/ },
      text,
    );
  t.throws(() => parseCpuList('1,'.repeat(20_000)), { name: 'SpecError' }, 'a list of hostile length');
});

t.test('the first CPUs that another list does not have', async (t) => {
  for (const [list, allowed, outside] of [
    ['0-3', '0-3', []],
    ['0-3', '0-1,3', [2]],
    ['2,4', '0-1,3', [2, 4]],
    ['0-99999', '2', [0, 1, 3, 4, 5]],
    ['0-99999', '0-99999', []],
    ['0-1', '', [0, 1]],
    ['', '0', []],
  ] as const)
    t.strictSame(cpusOutside(list, allowed), outside, `${list} of ${allowed}`);
});

t.test('I/O is limited device by device', async (t) => {
  t.strictSame(parseIoMax('/dev/sda:rbps=10M,wiops=100 8:16:riops=0'), [
    { target: '/dev/sda', rbps: 10 * 2 ** 20, wiops: 100 },
    { target: '8:16', riops: 'unlimited' },
  ]);
  t.strictSame(parseIoMax('/a:b:wbps=max'), [{ target: '/a:b', wbps: 'unlimited' }]);
  t.strictSame(parseIoMax('  '), []);
  for (const text of ['/dev/sda', 'rbps=1', ':rbps=1', '/dev/sda:RBPS=1'])
    t.throws(
      () => parseIoMax(text),
      {
        name: 'SpecError',
        message: `"${text}" is not a limit of a device: expected <device or path>:<what>=<limit>, for example "/dev/sda:rbps=10M,wiops=100"`,
      },
      text,
    );
  t.throws(() => parseIoMax('/dev/sda:rbp=1'), {
    message: '"rbp" is not a limit of a device: expected one of rbps, wbps, riops, wiops; did you mean "rbps"?',
  });
  t.throws(() => parseIoMax('/dev/sda:rbps=x'), { message: /"x" is not a size/ });
  t.throws(() => parseIoMax('8:0:rbps=1 '.repeat(65)), { message: /names 65 devices: expected at most 64$/ });
});
