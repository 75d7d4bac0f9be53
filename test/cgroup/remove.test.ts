import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import {
  clean as cleanTask,
  releaseCgroup as releaseTask,
  removeCgroup as removeTask,
} from '../../src/cgroup/remove.js';
import { known } from '../../src/kernel/task.js';
import { atOnce } from '../fixtures/at-once.js';
import { cgroupHost } from '../fixtures/cgroup-host.js';

const [clean, releaseCgroup, removeCgroup] = [atOnce(cleanTask), atOnce(releaseTask), atOnce(removeTask)];

t.test('the steps run in order, and a failed step does not stop the next', async (t) => {
  const dir = t.testdir({ box: { job: { deep: {} } }, 'cgroup.subtree_control': '' });
  clean([
    { op: 'write', path: `${dir}/none/cgroup.procs`, text: '1' },
    { op: 'rmdir', path: `${dir}/none` },
    { op: 'rmdir', path: `${dir}/box` },
    { op: 'write', path: `${dir}/cgroup.subtree_control`, text: '-memory' },
  ]);
  t.notOk(existsSync(`${dir}/box`), 'with the groups below it');
  t.equal(readFileSync(`${dir}/cgroup.subtree_control`, 'utf8'), '-memory');
  t.notOk(existsSync(`${dir}/none`), 'no directory is made');
});

t.test('the freezer of v2 needs no thaw', async (t) => {
  const dir = t.testdir({ 'freezer.state': 'FROZEN' });
  removeCgroup({ ...noCgroup('none'), freezer: { version: 2, dir } });
  t.equal(readFileSync(`${dir}/freezer.state`, 'utf8'), 'FROZEN');
});

t.test('before the groups are removed, written settings are undone and processes go back', async (t) => {
  const dir = t.testdir({ ours: { box: {} }, 'cgroup.subtree_control': '' });
  const order: string[] = [];
  const join = (procs: string) => {
    order.push(procs, readFileSync(`${dir}/cgroup.subtree_control`, 'utf8'), String(existsSync(`${dir}/ours/box`)));
    return known<string | null>(null);
  };
  const cleanup = [
    { op: 'rmdir', path: `${dir}/ours/box` },
    { op: 'write', path: `${dir}/cgroup.subtree_control`, text: '-pids' },
  ] as const;
  releaseCgroup({ ...noCgroup('none'), dirs: [`${dir}/ours/box`], cleanup }, { pid: process.pid, join });
  t.strictSame(order, [`${dir}/ours/cgroup.procs`, '-pids', 'true']);
  t.notOk(existsSync(`${dir}/ours/box`));
});

t.test('releasing a box gives its processes back', async (t) => {
  const { ours, create, made } = cgroupHost(t, { v1: ['memory', 'freezer'] });
  const joined: string[] = [];
  const adopt = {
    pid: process.pid,
    join: (procs: string) => {
      joined.push(procs);
      return known<string | null>(null);
    },
  };
  const cgroup = create({ limits: ['memory'] });
  writeFileSync(`${ours('freezer')}/box/freezer.state`, '');
  t.equal(cgroup.freezer?.version, 1);
  // The real rmdir(2) of a group does not mind its files; this one does.
  releaseCgroup({ dirs: cgroup.dirs, cleanup: cgroup.cleanup, freezer: null }, adopt);
  t.strictSame(joined.map(dirname).sort(), [ours('freezer'), ours('memory')]);
  t.strictSame(made(), ['freezer']);
  removeCgroup(cgroup);
  t.equal(readFileSync(`${ours('freezer')}/box/freezer.state`, 'utf8'), 'THAWED', 'what is frozen cannot die');
});
