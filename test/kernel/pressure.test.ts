import { existsSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { boxPressure, parsePressure, pressureReader } from '../../src/kernel/pressure.js';

const SOME = 'some avg10=0.12 avg60=1.74 avg300=1.06 total=11118724\n';
const FULL = 'full avg10=0.00 avg60=3.50 avg300=0.00 total=9007199254740\n';

t.test('reads some and full of each resource', (t) => {
  const dir = t.testdir({ cpu: SOME, memory: SOME + FULL, io: SOME + FULL });
  const read = pressureReader((resource) => `${dir}/${resource}`);
  const some = { avg10: 0.12, avg60: 1.74, total_usec: 11118724 };
  const full = { avg10: 0, avg60: 3.5, total_usec: 9007199254740 };
  t.same(read(), { cpu: { some, full: null }, memory: { some, full }, io: { some, full } });
  writeFileSync(`${dir}/cpu`, SOME.replace('0.12', '99.00'));
  t.equal(read()?.cpu?.some.avg10, 99, 'anew each time');
  t.end();
});

t.test('a kernel without pressure gives null, and is not asked again', (t) => {
  const asked: string[] = [];
  const read = pressureReader((resource) => {
    asked.push(resource);
    return `${t.testdirName}/none/${resource}`;
  });
  t.equal(read(), null);
  t.equal(read(), null);
  t.same(asked, ['cpu', 'memory', 'io']);
  t.end();
});

t.test('one resource that is missing does not hide the others', (t) => {
  const dir = t.testdir({ memory: SOME, io: 'garbage' });
  const read = pressureReader((resource) => `${dir}/${resource}`);
  t.match(read(), { cpu: null, memory: { full: null }, io: null });
  t.match(read(), { cpu: null, memory: { full: null }, io: null });
  t.end();
});

t.test('the pressure of a box is that of its cgroup where the kernel has it, else of the host', (t) => {
  const dir = t.testdir({
    host: { cpu: SOME, memory: SOME, io: SOME },
    box: { 'cpu.pressure': FULL, 'memory.pressure': SOME + FULL, 'io.pressure': SOME },
    bare: {},
  });
  t.match(boxPressure(`${dir}/box`, `${dir}/host`)(), { scope: 'cgroup', cpu: null, memory: { full: { avg60: 3.5 } } });
  t.match(boxPressure(`${dir}/bare`, `${dir}/host`)(), { scope: 'host', cpu: { full: null } });
  t.match(boxPressure(null, `${dir}/host`)(), { scope: 'host' });
  t.equal(boxPressure(null, `${dir}/none`)(), null);
  t.end();
});

t.test('a line without figures is no pressure', (t) => {
  t.equal(parsePressure(''), null);
  t.equal(parsePressure('some nonsense\n'), null);
  t.end();
});

const skip = existsSync('/proc/pressure/memory') ? false : 'this kernel has no /proc/pressure';

t.test('the files of this kernel are understood', { skip }, (t) => {
  const pressure = pressureReader((resource) => `/proc/pressure/${resource}`)();
  t.type(pressure?.memory?.some.total_usec, 'number');
  t.end();
});
