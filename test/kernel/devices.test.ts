import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { findDevice } from '../../src/kernel/devices.js';

t.test('a partition stands for its disk, which is what the kernel limits', async (t) => {
  const sys = t.testdir({
    devices: { sda: { dev: '8:0\n', sda1: { dev: '8:1\n', partition: '1\n' } } },
    dev: { block: {} },
  });
  symlinkSync(`${sys}/devices/sda`, `${sys}/dev/block/8:0`);
  symlinkSync(`${sys}/devices/sda/sda1`, `${sys}/dev/block/8:1`);
  mkdirSync(`${sys}/other`);
  writeFileSync(`${sys}/other/file`, '');
  t.equal(findDevice('8:0', sys), '8:0');
  t.equal(findDevice('8:1', sys), '8:0');
  t.throws(() => findDevice('8:7', sys), {
    name: 'SpecError',
    message: /"8:7" does not belong to a block device \(8:7\): name the disk/,
  });
  t.throws(
    () => findDevice('/dev/null', sys),
    { message: /"\/dev\/null" does not belong to a block device/ },
    'no block device',
  );
  t.throws(() => findDevice(`${sys}/other/file`, sys), { message: /does not belong to a block device/ });
  t.throws(() => findDevice(`${sys}/nothing`, sys), {
    message: /ENOENT; expected a block device, a file on one, or major:minor/,
  });
});
