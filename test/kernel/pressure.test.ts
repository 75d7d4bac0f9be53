import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { readText } from 'cgroup-utils-native';
import t from 'tap';
import { type BoxPressure, boxPressure, parsePressure } from '../../src/kernel/pressure.js';
import { toTexts } from '../../src/kernel/texts.js';

const SOME = 'some avg10=0.12 avg60=1.74 avg300=1.06 total=11118724\n';
const FULL = 'full avg10=0.00 avg60=3.50 avg300=0.00 total=9007199254740\n';

/** Reads the files that are wanted now, as the keeper does. */
function readNow(pressure: BoxPressure) {
  const files = pressure.files();
  return pressure.read(toTexts(files, files.map(readText)));
}

t.test('reads some and full of each resource', async (t) => {
  const dir = t.testdir({ 'cpu.pressure': SOME, 'memory.pressure': SOME + FULL, 'io.pressure': SOME + FULL });
  const pressure = boxPressure(dir, `${dir}/none`);
  const some = { avg10: 0.12, avg60: 1.74, total_usec: 11118724 };
  const full = { avg10: 0, avg60: 3.5, total_usec: 9007199254740 };
  t.same(readNow(pressure), {
    scope: 'cgroup',
    cpu: { some, full: null },
    memory: { some, full },
    io: { some, full },
  });
  writeFileSync(`${dir}/cpu.pressure`, SOME.replace('0.12', '99.00'));
  t.equal(readNow(pressure)?.cpu?.some.avg10, 99, 'anew each time');
});

t.test('a kernel without pressure gives null, and is not asked again', async (t) => {
  const dir = t.testdir({});
  const pressure = boxPressure(dir, `${dir}/host`);
  t.equal(readNow(pressure), null);
  t.strictSame(pressure.files(), []);
  mkdirSync(`${dir}/host`);
  writeFileSync(`${dir}/host/cpu`, SOME);
  t.equal(readNow(pressure), null);
});

t.test('one resource that is missing does not hide the others', async (t) => {
  const dir = t.testdir({ memory: SOME, io: 'garbage' });
  const pressure = boxPressure(null, dir);
  t.match(readNow(pressure), { cpu: null, memory: { full: null }, io: null });
  t.match(readNow(pressure), { cpu: null, memory: { full: null }, io: null });
});

t.test('the pressure of a box is that of its cgroup where the kernel has it, else of the host', async (t) => {
  const dir = t.testdir({
    host: { cpu: SOME, memory: SOME, io: SOME },
    box: { 'cpu.pressure': FULL, 'memory.pressure': SOME + FULL, 'io.pressure': SOME },
    bare: {},
  });
  const of = (group: string | null) => readNow(boxPressure(group, `${dir}/host`));
  t.match(of(`${dir}/box`), { scope: 'cgroup', cpu: null, memory: { full: { avg60: 3.5 } } });
  t.match(of(`${dir}/bare`), { scope: 'host', cpu: { full: null } });
  t.match(of(null), { scope: 'host' });
});

t.test('a line without figures is no pressure', (t) => {
  t.equal(parsePressure(''), null);
  t.equal(parsePressure('some nonsense\n'), null);
  t.end();
});

const skip = existsSync('/proc/pressure/memory') ? false : 'this kernel has no /proc/pressure';

t.test('the files of this kernel are understood', { skip }, (t) => {
  const pressure = readNow(boxPressure(null));
  t.type(pressure?.memory?.some.total_usec, 'number');
  t.end();
});
