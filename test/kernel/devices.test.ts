import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { findDisk } from 'cgroup-utils-native';
import t from 'tap';
import { findDevice as findDeviceTask } from '../../src/kernel/devices.js';
import { atOnce } from '../fixtures/at-once.js';

const findDevice = atOnce(findDeviceTask);

t.test('a partition stands for its disk, which is what the kernel limits', async (t) => {
  const sys = t.testdir({
    devices: { sda: { dev: '8:0\n', sda1: { dev: '8:1\n', partition: '1\n' } } },
    dev: { block: {} },
  });
  symlinkSync(`${sys}/devices/sda`, `${sys}/dev/block/8:0`);
  symlinkSync(`${sys}/devices/sda/sda1`, `${sys}/dev/block/8:1`);
  mkdirSync(`${sys}/other`);
  writeFileSync(`${sys}/other/file`, '');
  t.strictSame(findDisk('8:0', sys), { error: null, text: '8:0' });
  t.strictSame(findDisk('8:1', sys), { error: null, text: '8:0' });
  for (const target of ['8:7', '/dev/null', `${sys}/other/file`]) t.match(findDisk(target, sys), { error: 'ENXIO' });
  for (const target of [`${sys}/nothing`, '8:', ':0', '8:0x', '']) t.match(findDisk(target, sys), { error: 'ENOENT' });
});

t.test('what is no disk is a mistake of the user', async (t) => {
  t.throws(() => findDevice('/dev/null'), {
    name: 'SpecError',
    message: /"\/dev\/null" does not belong to a block device: name the disk/,
  });
  t.throws(() => findDevice(`${t.testdir({})}/nothing`), {
    name: 'SpecError',
    message: /ENOENT; expected a block device, a file on one, or major:minor/,
  });
});
