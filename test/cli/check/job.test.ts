import { spawnSync } from 'node:child_process';
import t from 'tap';
import { createCgroup } from '../../../src/cgroup/create.js';
import type { Hierarchies } from '../../../src/cgroup/hierarchy.js';
import { noCgroup } from '../../../src/cgroup/none.js';
import { removeCgroup } from '../../../src/cgroup/remove.js';
import type { BoxCgroup } from '../../../src/cgroup/types.js';
import { checkJob, groupFiles, processRows } from '../../../src/cli/check/job.js';
import type { Row } from '../../../src/cli/check/row.js';
import { runHere } from '../../../src/kernel/run-task.js';
import { user, withoutV1 } from '../../fixtures/cgroups.js';
import { checkReport } from '../../fixtures/check.js';
import { PROC_BOX } from '../../fixtures/run.js';

/** The throw-away job of `proc_box check`. */

const NOWHERE: Hierarchies = { v2: null, v1: new Map() };
const none = noCgroup('none in this test');
const named = (rows: readonly Row[]) => Object.fromEntries(rows.map((row) => [row.name, row]));

t.test('a job without groups is launched, found, suspended by signals and killed', async (t) => {
  let keeperPid = 0;
  const rows = named(
    await checkJob(PROC_BOX, ({ pid }) => {
      keeperPid = pid;
      return { cgroup: none, found: NOWHERE };
    }),
  );
  t.ok(keeperPid > 0);
  for (const name of ['launch', 'process children', 'subreaper', 'hidepid', 'kill'])
    t.match(rows[name], { status: 'PASS' });
  t.match(rows['subreaper']?.evidence, `2 processes below keeper ${keeperPid}, the orphan among them`);
  t.match(rows['attach'], { status: 'WARN', evidence: /no group could be made/ });
  t.match(rows['freezer'], { status: 'WARN', evidence: /SIGSTOP to every process/ });
  t.match(rows['cgroup.kill'], { status: 'WARN' });
  t.throws(() => process.kill(keeperPid, 0), { code: 'ESRCH' });
});

t.test('a job in groups of v1 is attached and frozen', { skip: withoutV1('memory', 'freezer') }, async (t) => {
  let made: BoxCgroup | undefined;
  const rows = named(
    await checkJob(PROC_BOX, ({ pid }) => {
      made = runHere(
        createCgroup({
          name: `proc_box-check-job${process.pid}`,
          limits: ['memory'],
          stayBelow: true,
          scheduled: false,
          ourPids: [process.pid, pid],
          below: [],
          oomGroup: false,
        }),
      );
      return { cgroup: made, found: NOWHERE };
    }),
  );
  t.teardown(() => made && runHere(removeCgroup(made)));
  t.match(rows['attach'], { status: 'PASS', evidence: /in (\d+) of \1 groups$/ });
  t.match(rows['freezer'], { status: 'PASS', evidence: /^cgroup v[12], \// });
});

t.test('a missing executable and a failed launch are reported', async (t) => {
  const place = () => ({ cgroup: none, found: NOWHERE });
  t.strictSame(await checkJob('/nowhere/proc_box', place), [
    {
      name: 'keeper',
      status: 'FAIL',
      evidence: '/nowhere/proc_box: ENOENT',
      fix: `${process.execPath} //scripts/build/install.mjs`,
    },
  ]);
  t.match(await checkJob(import.meta.dirname, place), [
    { name: 'keeper', status: 'FAIL', evidence: /EACCES|does not answer/ },
  ]);
  const gone = { ...none, tasks: ['/nowhere/tasks'] };
  t.match(await checkJob(PROC_BOX, () => ({ cgroup: gone, found: NOWHERE })), [
    {
      name: 'launch',
      status: 'FAIL',
      evidence: /ENOENT/,
      fix: 'proc_box --cgroup off starts jobs without control groups',
    },
  ]);
});

t.test('a box of v2 has its peak and its pressure in files of its group', async (t) => {
  const dir = t.testdir({ new: { 'memory.peak': '1', 'memory.pressure': '' }, old: {} });
  const box = (name: string): BoxCgroup => ({
    ...none,
    forkInto: `${dir}/${name}`,
    pressureDir: `${dir}/${name}`,
    holds: () => ({ mechanism: 'cgroup2' }),
  });
  const now = named(groupFiles(NOWHERE, box('new')));
  t.match(now['memory peak'], { status: 'PASS', evidence: `${dir}/new/memory.peak` });
  const old = named(groupFiles(NOWHERE, box('old')));
  t.match(old['memory peak'], { status: 'WARN', evidence: `${dir}/old/memory.peak: ENOENT`, fix: /5\.19/ });
  // Without PSI in this kernel there is nothing to read in any group.
  if (now['pressure (PSI)']?.evidence.startsWith('/proc/pressure/memory')) return;
  t.match(now['pressure (PSI)'], { status: 'PASS', evidence: `${dir}/new/memory.pressure` });
  t.match(old['pressure (PSI)'], { status: 'WARN', evidence: /for the host only/ });
});

t.test('v1 has the peak in its memory group; without a group the peak is sampled', async (t) => {
  const found: Hierarchies = { v2: null, v1: new Map([['memory', { dir: '/sys/memory/ours', mount: '/sys/memory' }]]) };
  const v1 = named(groupFiles(found, { ...none, holds: () => ({ mechanism: 'cgroup1' }) }));
  t.match(v1['memory peak'], { status: 'PASS', evidence: 'memory.max_usage_in_bytes of /sys/memory/ours' });
  t.match(named(groupFiles(NOWHERE, none))['memory peak'], { status: 'WARN', evidence: /short peaks are missed/ });
});

t.test('reports capabilities, kernel version and limits of this process', async (t) => {
  const rows = named(processRows());
  t.match(rows['CAP_SYS_RESOURCE']?.evidence, /^CapEff [0-9a-f]+ in \/proc\/self\/status/);
  t.match(rows['rlimits']?.evidence, /^hard limits: as \S+, nofile \d+, nproc \S+ \(counts per user, not per job\)$/);
  t.ok(rows['pidfd']);
});

t.test(
  'under /proc with hidepid=2 the keeper of an ordinary user sees the box',
  { skip: withoutV1('memory') || noMountNamespace() },
  async (t) => {
    const through = [
      'unshare',
      '-m',
      'sh',
      '-c',
      'mount -t proc -o hidepid=2 proc /proc && exec "$@"',
      'sh',
      ...user(),
    ];
    const { row } = checkReport(t, [], { through });
    t.equal(row('subreaper').status, 'PASS');
    t.match(row('hidepid').evidence, /hidepid=(2|invisible)/);
  },
);

function noMountNamespace(): string | false {
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc']);
  return status === 0 ? false : 'needs a mount namespace and /proc with hidepid';
}
