import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { lockFile } from 'cgroup-utils-native';
import t from 'tap';
import { lockedPidFile, openLog } from '../../src/supervise/own-files.js';

t.test('a log is added to', async (t) => {
  const dir = t.testdir({ log: 'old\n' });
  const fd = openLog('--log-file', `${dir}/log`);
  writeSync(fd, 'new\n');
  closeSync(fd);
  t.equal(readFileSync(`${dir}/log`, 'utf8'), 'old\nnew\n');
});

t.test('the file with the pid is locked as long as the box is there', async (t) => {
  const dir = t.testdir({ pid: 'something longer than a pid\n' });
  let held = -1;
  const file = lockedPidFile(`${dir}/pid`, (fd) => {
    held = fd;
  });
  t.equal(readFileSync(`${dir}/pid`, 'utf8'), `${process.ppid}\n`, 'of the front end, which is the one to signal');
  t.ok(fstatSync(held).isFile());
  const other = openSync(`${dir}/pid`, 'r');
  t.equal(lockFile(other), false);
  file.remove();
  t.notOk(existsSync(`${dir}/pid`));
  t.equal(lockFile(other), true, 'who waits for it goes on');
  closeSync(other);
  writeFileSync(`${dir}/pid`, "another one's\n");
  file.remove();
  t.ok(existsSync(`${dir}/pid`), 'it is removed once');
});

t.test('what cannot be opened is told with its option, and never waits', async (t) => {
  const dir = t.testdir({ folder: {} });
  t.equal(spawnSync('mkfifo', [`${dir}/fifo`]).status, 0);
  const cases: readonly (readonly [string, string])[] = [
    [`${dir}/none/log`, 'ENOENT: its folder does not exist'],
    [`${dir}/folder`, 'EISDIR: it is a directory'],
    [`${dir}/fifo`, 'ENXIO: it is a FIFO that nobody reads, or a socket'],
    [`${dir}/${'x'.repeat(300)}`, 'ENAMETOOLONG: this user may not write there'],
  ];
  for (const [path, why] of cases) {
    t.throws(() => openLog('--log-file', path), {
      name: 'SpecError',
      message: `--log-file ${path}: ${why}; name a file that can be written`,
    });
    t.throws(() => lockedPidFile(path), { message: `--pid-file ${path}: ${why}; name a file that can be written` });
  }
});
