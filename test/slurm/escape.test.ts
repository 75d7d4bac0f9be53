// test-timeout: 300s
import t, { type Test } from 'tap';
import { unique } from '../fixtures/broker.js';
import { groupsIn } from '../fixtures/cgroups.js';
import { processesWith, until } from '../fixtures/processes.js';
import { site as prologSite, USER } from '../fixtures/prolog-site.js';
import { PROC_BOX } from '../fixtures/run.js';
import { type Slurm, slurmCluster, withoutSlurm } from '../fixtures/slurm.js';
import { site, withoutSite } from '../fixtures/slurm-site.js';

/**
 * A task that writes itself into every control group that it may write. Only groups of the test's own node are tried: the
 * host may run others.
 */

const CONSTRAINED = { cgroupConf: 'ConstrainRAMSpace=yes\nConstrainCores=yes' };
const ENV = { PBOX_URI: '', PBOX_CONFIG: '' };

const MOVE = `for file in $(find /sys/fs/cgroup \\( -name cgroup.procs -o -name tasks \\) -writable -path "*$SLURMD_NODENAME*" \
-not -path "*/proc_box-*"); do
  echo $$ >"$file" && echo "moved $file"
done 2>/dev/null
cat /proc/self/cgroup`;

async function staysHeld(t: Test, slurm: Slurm, more: readonly string[] = []): Promise<void> {
  const allocate = `${MOVE}; exec python3 -c "x = bytearray(120 << 20); print('it has 120 MB')"`;
  const greedy = await slurm.run(['srun', ...more, '-n1', '--mem=50', 'sh', '-c', allocate], { uid: USER, env: ENV });
  t.not(greedy.code, 0);
  t.notMatch(greedy.stdout, 'it has 120 MB');
  const groups = groupsIn(greedy.stdout);
  for (const controller of ['memory', 'cpuset', 'freezer']) t.match(groups[controller], /\/job_\d+\//, controller);

  const mark = unique('ESCAPED');
  const { stderr } = await slurm.run(['salloc', '-n2', '--no-shell'], { uid: USER });
  const job = /job allocation (\d+)/.exec(stderr)?.[1] ?? '';
  const script = `${MOVE}; setsid sh -c '${MOVE.replaceAll("'", "'\\''")}; echo up; exec sleep 600' & wait`;
  const running = slurm.start(['srun', ...more, '-n1', 'sh', '-c', script], {
    uid: USER,
    env: { ...ENV, SLURM_JOB_ID: job, MARK: mark },
  });
  await slurm.until(() => running.stdout().includes('up'), 'it has moved');
  await slurm.command('scancel', `${job}.0`);
  await running.done;
  await until(() => processesWith(`MARK=${mark}`).length === 0, 'all of it is killed with its step');
  await slurm.command('scancel', job);
}

t.test(
  'prolog: whoever leaves his groups is still held by --mem, and killed with the step',
  { skip: withoutSlurm() },
  async (t) => {
    const at = await prologSite(t, 'cgroup', ['uri=none', 'config=none', 'pids=50'], CONSTRAINED);
    await staysHeld(t, at.slurm);

    const check = `${PROC_BOX} check --uri none`;
    const { stdout } = await at.slurm.run(['srun', '-n1', 'sh', '-c', check], { uid: USER, env: ENV });
    t.match(
      stdout,
      /WARN +prolog groups.*: (?=.*pids)(?=.*blkio)[^;]*; (?=.*memory)(?=.*freezer).* may belong to Slurm/,
    );
    await at.clean();
  },
);

t.test(
  'prolog: what Slurm leaves alone is delegated, by what slurm.conf says outright',
  { skip: withoutSlurm() },
  async (t) => {
    const at = await prologSite(t, 'cgroup', ['uri=none', 'config=none', 'pids=50', 'memory=40M'], {
      conf: '# TaskPlugin=task/none\nInclude DIR/more.conf',
      files: { 'more.conf': '' },
    });
    const { stdout } = await at.slurm.run(
      ['srun', '-n1', 'sh', '-c', 'find /sys/fs/cgroup -name "proc_box.$SLURMD_NODENAME.*"'],
      {
        uid: USER,
        env: ENV,
      },
    );
    const delegated = stdout.match(/(?<=\/sys\/fs\/cgroup\/)[^/]+/g)?.sort();
    t.strictSame(delegated, ['blkio', 'cpu', 'pids'], 'an included file may say anything');
    await at.clean();
  },
);

t.test(
  'SPANK: whoever leaves his groups is still held by --mem, and killed with the step',
  { skip: withoutSite() },
  async (t) => {
    const slurm = await slurmCluster(t, CONSTRAINED);
    const limits = 'memory=45M,pids=50,cpus=1,cpuset=0,cpu-weight=50';
    t.match(site(slurm, 'install', 'spank', '--option', 'uri=none', '--option', 'config=none'), { status: 0 });
    await staysHeld(t, slurm, [`--box=${limits}`]);
    t.strictSame(slurm.groups('proc_box'), [], 'nothing is left');
  },
);
