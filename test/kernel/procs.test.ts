import t from 'tap';
import { listProcesses } from '../../src/kernel/procs.js';

t.test('the list of a group has each process once, also those in groups below', async (t) => {
  const dir = t.testdir({
    'cgroup.procs': '12\n7\n12\n',
    inner: { 'cgroup.procs': '30\n', threaded: {} },
    other: { 'cgroup.procs': '' },
  });
  t.same(listProcesses(`${dir}/cgroup.procs`), [12, 7, 30]);
  t.same(listProcesses(`${dir}/other/cgroup.procs`), []);
  t.equal(listProcesses(`${dir}/none/cgroup.procs`), null);
});
