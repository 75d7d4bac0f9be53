// test-timeout: 120s
import { mkdirSync, readdirSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { removeCgroup } from '../../../src/cgroup/remove.js';
import { type CgroupInput, checkCgroup } from '../../../src/cli/check/cgroup.js';
import type { Row } from '../../../src/cli/check/row.js';
import { runHere } from '../../../src/kernel/run-task.js';
import { delegate, ownGroup, user, withoutV1 } from '../../fixtures/cgroups.js';
import { checkReport } from '../../fixtures/check.js';

/** Limits that control groups can hold here: tested in this process, or through the program for another user or place. */

let groups = 0;

/** The lines about control groups; the throw-away group is removed. */
function look(t: Test, more: Partial<CgroupInput> = {}) {
  const { cgroup, rows } = checkCgroup({
    name: `proc_box-check-test${process.pid}-${++groups}`,
    ourPids: [process.pid],
    place: { scheduler: 'none', root: true, systemd: false },
    environment: {},
    strict: false,
    allowedCpus: '0',
    ...more,
  });
  t.teardown(() => runHere(removeCgroup(cgroup)));
  return (name: string) => rows.find((row) => row.name === name) as Row;
}

/** A group beside ours that the test makes. */
function groupBeside(t: Test, controller: string, name: string): string {
  const dir = `${ownGroup(controller)}/${name}`;
  mkdirSync(dir);
  t.teardown(() => rmdirSync(dir));
  return dir;
}

t.test('reports the mounted versions and our own groups', { skip: withoutV1('memory', 'pids') }, async (t) => {
  const row = look(t);
  t.match(row('cgroup versions').evidence, /v1: .*\bmemory\b/);
  t.match(row('own group').evidence, `memory ${ownGroup('memory')}`);
  if (ownGroup('v2') === undefined) return;
  t.match(row('cgroup versions'), { status: 'WARN', evidence: /^hybrid, v2 at /, fix: /unified_cgroup_hierarchy=1/ });
  t.match(row('own group').evidence, `v2 ${ownGroup('v2')}`);
});

t.test(
  'reports groups of boxes without a process, and how to remove them',
  { skip: withoutV1('memory') },
  async (t) => {
    // No keeper takes these away: they have no name of a box.
    const [old, young] = ['old', 'young'].map((name) =>
      groupBeside(t, 'memory', `proc_box-test-${name}-${process.pid}`),
    );
    const before = Date.now() / 1000 - 3600;
    utimesSync(old!, before, before);
    const { status, evidence, fix } = look(t)('leftover groups');
    t.equal(status, 'WARN');
    t.match(evidence, /^\d+ without a process, for example \//);
    t.match(fix, /^rmdir \//);
    t.ok(fix?.includes(old!) || Number.parseInt(evidence, 10) > 5, fix ?? '');
    t.notOk(fix?.includes(young!), 'a young group may be about to start its job');
  },
);

t.test(
  'reports which groups the prolog of Slurm has given the job, and which not',
  { skip: withoutV1('memory', 'pids') },
  async (t) => {
    const environment = { SLURMD_NODENAME: `n${process.pid}`, SLURM_JOB_ID: '77' };
    t.equal(look(t, { environment })('prolog groups'), undefined, 'no prolog was here');
    const name = `proc_box.n${process.pid}.77`;
    groupBeside(t, 'pids', name);
    const row = look(t, { environment })('prolog groups');
    t.equal(row.status, 'WARN');
    t.match(row.evidence, new RegExp(`^${name}: pids; .*memory.* may belong to Slurm and is not delegated`));
    t.match(row.fix, 'docs/slurm.md');
  },
);

t.test(
  'as root on v1 the limits are held, and the throw-away group and job are removed',
  { skip: withoutV1('memory', 'pids', 'cpu') },
  async (t) => {
    const { through, dirs } = delegate(t, ['memory', 'pids', 'cpu', 'v2'], 0, false);
    const { row, status } = checkReport(t, [], { through });
    t.equal(status, 0);
    for (const [name, controller] of [
      ['memory', 'memory'],
      ['swap', 'memory'],
      ['pids', 'pids'],
      ['cpus', 'cpu'],
    ] as const) {
      t.equal(row(`limit ${name}`).status, 'PASS');
      t.match(row(`limit ${name}`).evidence, `cgroup1, ${dirs[controller]}/proc_box-check`);
    }
    t.strictSame(row('limit memory-high'), {
      name: 'limit memory-high',
      status: 'WARN',
      evidence: 'not held at all: cgroup v1 has no memory.high',
      fix: 'kernel argument systemd.unified_cgroup_hierarchy=1: everything in cgroup v2',
    });
    for (const name of ['launch', 'attach', 'subreaper', 'freezer', 'kill', 'hidepid'])
      t.equal(row(name).status, 'PASS', name);
    for (const dir of Object.values(dirs))
      t.strictSame(
        readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
        [],
      );
  },
);

t.test('a limit around us is no reason to fail', { skip: withoutV1('memory', 'pids') }, async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids'], 0, false);
  writeFileSync(`${dirs['pids']}/pids.max`, '50');
  t.equal(checkReport(t, [], { through }).row('limit pids').status, 'PASS');
});

t.test(
  'an ordinary user without permission: WARN with path, errno and what an administrator does',
  { skip: withoutV1('memory') },
  async (t) => {
    const { row, status, user: name } = checkReport(t, [], { through: user() });
    t.equal(name, 'nobody');
    t.equal(status, 0, 'boxes work all the same');
    t.match(row('limit memory').evidence, /^held by sampling only: mkdir \/sys\S+: EACCES/);
    t.match(row('limit memory').fix, /chown <user>/);
    t.match(row('limit cpus').evidence, /^not held at all: mkdir/);
    t.equal(row('attach').status, 'WARN');
    t.match(row('freezer').evidence, 'SIGSTOP');
  },
);

t.test(
  'with --enforce strict what the kernel would not hold is a FAIL, and exit status 1',
  { skip: withoutV1('memory') },
  async (t) => {
    const { row, status, ok } = checkReport(t, ['--enforce', 'strict'], { through: user() });
    t.equal(status, 1);
    t.equal(ok, false);
    t.equal(row('limit memory').status, 'FAIL');
  },
);

t.test('inside a Slurm job the remedies are those of Slurm', { skip: withoutV1('memory') }, async (t) => {
  const { row, scheduler } = checkReport(t, [], {
    through: user(),
    env: { SLURM_JOB_ID: '77', SLURM_CLUSTER_NAME: 'alpha' },
  });
  t.equal(scheduler, 'slurm');
  t.match(row('scheduler').evidence, /^slurm, job 77, step batch, cluster alpha; /);
  t.match(row('limit memory').fix, "Slurm's Prolog");
  t.match(row('limit memory').fix, 'ConstrainRAMSpace=yes');
});
