// test-timeout: 300s
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { site as prologSite, USER } from '../fixtures/prolog-site.js';
import { PROC_BOX } from '../fixtures/run.js';
import { slurmCluster, withoutSlurm } from '../fixtures/slurm.js';
import { site, withoutSite } from '../fixtures/slurm-site.js';

/** What users say, in `--box` and in `PBOX_*`, where the site has locked something. */

const BAD = { PBOX_TIMEOUT: 'nonsense', PBOX_CONFIG: '/nowhere', PBOX_FAILURE: 'open', PBOX_MEMORY: 'much' };
const SHOW = ['sh', '-c', 'ulimit -n; echo ran'];

t.test('prolog: bad variables of a user take no task out of its box', { skip: withoutSlurm() }, async (t) => {
  const at = await prologSite(t, 'cgroup', ['uri=none', 'rlimit=nofile=77:77', 'pids=50']);
  for (const env of [BAD, { ...BAD, PBOX_URI_FILE: '/nowhere', PBOX_ENFORCE: 'strict', PBOX_CPUSET: '4000' }]) {
    const { code, stdout } = await at.slurm.run(['srun', '-n1', 'sh', '-c', 'ulimit -n; cat /proc/self/cgroup'], {
      uid: USER,
      env: { PBOX_URI: '', ...env },
    });
    t.equal(code, 0);
    t.match(stdout, /^77$/m);
    t.match(stdout, /pids:.*proc_box-/);
  }
  await at.clean();
});

t.test('prolog: what a user leaves in his folder is removed in bounded time', { skip: withoutSlurm() }, async (t) => {
  const at = await prologSite(t, 'cgroup', ['uri=none', 'config=none']);
  const outside = join(at.slurm.work, 'outside');
  const program = `
import os
os.chdir(os.popen("ls -d ${at.state}/*/own").read().strip())
os.mkdir("shut"); os.mkdir("shut/within"); os.chmod("shut/within", 0); os.chmod("shut", 0)
os.symlink("${outside}", "link"); os.mkfifo("fifo"); open("new\\nline -rf *", "w"); open("-rf", "w")
for level in range(300):
    os.mkdir("d" * 20); os.chdir("d" * 20)
`;
  writeFileSync(outside, 'it stays');
  const { code, stderr } = await at.slurm.run(['srun', '-n1', 'python3', '-c', program], { uid: USER });
  t.equal(code, 0, stderr);
  await at.clean();
  t.equal(readFileSync(outside, 'utf8'), 'it stays');
});

t.test('SPANK: --box says nothing of what the site has locked', { skip: withoutSite() }, async (t) => {
  const slurm = await slurmCluster(t);
  const words = ['--default', 'on', '--failure', 'closed', '--option', 'uri=none', '--option', 'config=none'];
  t.match(site(slurm, 'install', 'spank', ...words, '--fix', 'rlimit=nofile=77', '--proc-box', PROC_BOX), {
    status: 0,
  });
  const srun = (box: readonly string[], env = {}) => slurm.run(['srun', '-n1', ...box, ...SHOW], { uid: USER, env });
  for (const name of ['failure=open', 'help', 'version', 'refuse=x']) {
    const { code, stderr } = await srun([`--box=timeout=1h,${name}`]);
    t.not(code, 0);
    t.match(stderr, `jobs may not set ${name}; leave it out`);
  }
  t.match(await srun(['--box=rlimit=nofile=99']), { code: 0, stdout: '77\nran\n' });
  const tricks = {
    PBOX_OPTIONS: '2',
    PBOX_OPTION_1: '--failure=open',
    PBOX_OPTION_2: '--rlimit=nofile=99',
    PBOX_TASK: '/x',
  };
  t.match(await srun([], tricks), { code: 0, stdout: '77\nran\n' });
  t.match(await srun(['--box=timeout=nonsense'], { ...tricks, PBOX_FAILURE: 'open' }), { code: 125, stdout: '' });
  t.match(
    site(slurm, 'install', 'spank', ...words, '--failure', 'open', '--fix', 'rlimit=nofile=77', '--proc-box', PROC_BOX),
    {
      status: 0,
    },
  );
  for (const box of ['--box=timeout=nonsense', '--box=nosuch=1', '--box=memory=', '--box=rows=é%s"'])
    t.match(
      await srun([box], { PBOX_TIMEOUT: 'x' }),
      { code: 0, stdout: '77\nran\n', stderr: /runs in a box without that/ },
      box,
    );
});

t.test('job_submit: variables change nothing that the policy has fixed', { skip: withoutSite() }, async (t) => {
  const slurm = await slurmCluster(t);
  t.match(site(slurm, 'install', 'job-submit', '--proc-box', PROC_BOX), { status: 0 });
  const policy = join(slurm.etc, 'proc_box_policy.lua');
  const text = readFileSync(policy, 'utf8');
  const write = (failure: string) =>
    writeFileSync(
      policy,
      text
        .replace('failure = "open"', `failure = "${failure}"`)
        .replace('fixed = {}', 'fixed = { "rlimit" }')
        .replace('    return {}\n', '    return { rlimit = "nofile=77", uri = "none", config = "none" }\n'),
    );
  await slurm.restartController();
  const submit = async (env: Readonly<Record<string, string>>) => {
    const job = await slurm.sbatch('ulimit -n; echo ran', [], { uid: USER, env });
    return { code: (await job.ended())['ExitCode'], stdout: job.stdout() };
  };
  write('open');
  t.match(await submit({ PBOX_RLIMIT: 'nofile=99' }), { code: '0:0', stdout: '77\nran\n' });
  t.match(await submit({ ...BAD, PBOX_RLIMIT: 'x' }), { code: '0:0', stdout: '77\nran\n' });
  write('closed');
  t.match(await submit(BAD), { code: '125:0', stdout: '' });
});
