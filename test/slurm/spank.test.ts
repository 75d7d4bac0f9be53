// test-timeout: 300s
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { groupsIn } from '../fixtures/cgroups.js';
import { PROC_BOX, job as program } from '../fixtures/run.js';
import { slurmCluster } from '../fixtures/slurm.js';
import { isIdle, jobOf, site, withoutSite } from '../fixtures/slurm-site.js';

/** The plugin that administrators install: tasks and scripts get boxes, with options of the user's in --box. */

const ROOT = dirname(dirname(PROC_BOX));
const BOXED = 'started in box';

/** Names of groups that slurmstepd has made for tasks. */
function taskGroups(text: string): string[] {
  return [...text.matchAll(/proc_box\.task\.\d+/g)].map(([name]) => name);
}

/** Those of them that are there, wherever Slurm had put the task. */
function stillThere(names: readonly string[]): string[] {
  // Its status tells of directories that went while it looked.
  const { stdout } = spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', 'proc_box.task.*'], {
    encoding: 'utf8',
  });
  return stdout.split('\n').filter((path) => names.includes(basename(path)));
}

t.test('the SPANK plugin', { skip: withoutSite() }, async (t) => {
  const slurm = await slurmCluster(t, { nodes: 2, cgroupConf: 'ConstrainRAMSpace=yes\nConstrainCores=no' });
  const plugstack = join(slurm.etc, 'plugstack.conf');
  writeFileSync(plugstack, '# the site has lines of its own\n');
  const srun = (...words: string[]) => slurm.run(['srun', ...words]);

  t.test('is installed, and boxes what asks for it', async (t) => {
    t.match(site(slurm, 'install', 'spank').stdout, /add to .*plugstack\.conf: optional/);
    t.equal(site(slurm, 'install', 'spank').stdout, 'nothing to change\n');
    t.match(readFileSync(plugstack, 'utf8'), /^# the site has lines of its own\n/);
    const [plain, boxed, options, bad, unknown, wrong, batch, batchPlain, own] = await Promise.all([
      srun('-n2', 'true'),
      srun('-N2', '-n4', '--box', 'sh', '-c', 'echo $0 $1; exit 6', 'name', 'two words'),
      srun('--box=rlimit=nofile=77:88,cpuset=0,rlimit=fsize=1M,timeout=1s', 'sh', '-c', 'ulimit -n; sleep 60'),
      srun('--box=;;', 'true'),
      srun('--box=memori=4G', 'true'),
      srun('--box=memory=4X', 'true'),
      jobOf(slurm, 'echo $0; srun -n1 echo nested; exit 3', ['--box=report']),
      jobOf(slurm, 'echo plain'),
      srun('--box', PROC_BOX, 'true'),
    ]);
    t.notMatch(plain.stderr, BOXED);
    t.equal(boxed.code, 6);
    t.equal(boxed.stdout, 'name two words\n'.repeat(4));
    t.equal(boxed.stderr.match(/started in box/g)?.length, 4);
    t.equal(options.code, 124);
    t.equal(options.stdout, '77\n');
    t.match(options.stderr, /nofile=77:88 .*fsize=1 MiB .*cpuset="?0/);
    t.equal(bad.code, 255, 'srun starts nothing');
    t.match(bad.stderr, /^srun: error: proc_box: --box=;;: expected on, off or option=value/);
    t.match(unknown, { code: 0, stderr: /error: unknown option "--memori"; did you mean --memory\?/ });
    t.match(wrong, { code: 0, stderr: /error: --memory: "4X" is not a size: / });
    t.match(batch, { code: '3:0', stdout: /slurm_script\nnested/, stderr: /end of job \d+/ });
    t.equal(batch.stderr.match(/started in box/g)?.length, 2, 'the script, and the step in it');
    t.notMatch(batchPlain.stderr, BOXED);
    t.equal(own.stderr.match(/started in box/g)?.length, 1, 'no box in a box');
  });

  t.test('boxes everything where the site says so', async (t) => {
    const { stdout } = site(slurm, 'install', 'spank', '--default', 'on', '--option', 'sint=0');
    t.match(stdout, /default=on/);
    t.equal(readFileSync(plugstack, 'utf8').match(/spank_proc_box/g)?.length, 1);
    writeFileSync(join(slurm.work, 'multi'), '0 echo first\n1 echo second\n');
    const [plain, shown, off, missing, multi] = await Promise.all([
      srun('true'),
      slurm.run(['srun', 'true'], { env: { PBOX_QUIET: 'false' } }),
      srun('--box=off', 'true'),
      srun('/nowhere/program'),
      srun('-n2', '--multi-prog', join(slurm.work, 'multi')),
    ]);
    t.notMatch(plain.stderr, 'proc_box', 'what its user did not ask for is quiet');
    t.match(shown.stderr, BOXED);
    t.notMatch(off.stderr, BOXED);
    t.equal(missing.code, 127);
    t.strictSame(multi.stdout.trim().split('\n').sort(), ['first', 'second'], multi.stderr);
    t.equal(multi.code, 0);
  });

  t.test('each program of --multi-prog gets its box, as Slurm reads its file', async (t) => {
    const file = join(slurm.work, 'programs');
    const text = [
      '# a comment',
      '0 echo a %t %o \\',
      '   continued',
      '1-2 /bin/echo b %o',
      `  3 ${PROC_BOX} true`,
      '',
      '4 sh -c "exit 3"',
    ];
    writeFileSync(file, `${text.join('\n')}\n`);
    const [boxed, plain] = await Promise.all([
      srun('-n5', '-l', '--box', '--multi-prog', file),
      srun('-n5', '-l', '--box=off', '--multi-prog', file),
    ]);
    const sorted = ({ stdout }: { stdout: string }) => stdout.split('\n').sort();
    t.strictSame(sorted(boxed), sorted(plain));
    t.equal(boxed.code, plain.code);
    t.equal(boxed.stderr.match(/started in box/g)?.length, 5, boxed.stderr);
    t.equal(plain.stderr.match(/started in box/g)?.length, 1, 'the one that asks for it by itself');
  });

  t.test("an ordinary user's limits are the kernel's, below Slurm's own, and leave nothing", async (t) => {
    const uid = 65534;
    const show = ['sh', '-c', 'cat /proc/self/cgroup'];
    const [oom, forks, shown, batch] = await Promise.all([
      slurm.run(['srun', '-n1', '--mem=300', '--box=memory=64M,report', ...program('allocate.py', '200')], { uid }),
      slurm.run(['srun', '-n1', '--box=pids=16', 'sh', '-c', 'for i in $(seq 30); do sleep 9 & done'], { uid }),
      slurm.run(['srun', '-N2', '-n4', '--box=memory=64M,pids=16', ...show], { uid }),
      slurm.sbatch('cat /proc/self/cgroup; srun -n1 true', ['--box=memory=64M,pids=16,cpus=0.5,cpuset=0'], { uid }),
    ]);
    t.equal(oom.code, 137);
    t.match(oom.stderr, /ended +oom: SIGKILL/);
    t.match(forks.stderr, /Cannot fork/);
    t.equal(shown.stderr.match(/memory=64 MiB \(cgroup1\), pids=16 \(cgroup1\)/g)?.length, 4, shown.stderr);
    t.equal(
      shown.stdout.match(/memory:\S*\/slurm_\S*\/step_0\/\S*\/proc_box\.task\.\d+\/proc_box-\w+-\d+\.0\.\d$/gm)?.length,
      4,
    );
    t.equal((await batch.ended())['ExitCode'], '0:0');
    t.match(groupsIn(batch.stdout())['cpu'], /\/proc_box\.task\.\d+\/proc_box-/);
    t.match(
      batch.stderr(),
      /memory=64 MiB \(cgroup1\), cpus=0.5 \(cgroup1\), cpuset=0 \(cgroup1\), pids=16 \(cgroup1\)/,
    );
    // SIGKILL to the whole step: nobody of the box is left who could tidy up.
    const client = slurm.start(['srun', '-n1', '-J', 'dies', '--box=memory=64M,pids=16', 'sleep', '600'], { uid });
    await slurm.until(() => client.stderr().includes('started in box'), 'it runs');
    const names = taskGroups(`${shown.stdout}${batch.stdout()}${slurm.groups('proc_box.task.')}`);
    t.ok(stillThere(names).length > 0, 'those of the job that runs');
    const id = (await slurm.command('squeue', '-h', '-n', 'dies', '-o', '%A')).trim();
    await slurm.command('scancel', `${id}.0`);
    await client.done;
    await slurm.until(async () => (await slurm.command('squeue', '-h')) === '', 'all have ended');
    await slurm.until(() => stillThere(names).length === 0, 'no group is left');
    t.strictSame(slurm.groups('job_'), [], "Slurm's own could go");
  });

  t.test('where the executable or its own helper is missing', async (t) => {
    site(slurm, 'install', 'spank', '--default', 'on', '--proc-box', '/nowhere/proc_box');
    t.match(await srun('echo', 'runs'), { code: 0, stdout: 'runs\n', stderr: /runs without a box/ });
    site(slurm, 'install', 'spank', '--default', 'on', '--proc-box', '/nowhere/proc_box', '--failure', 'closed');
    t.match(await srun('echo', 'never'), { code: 125, stdout: '', stderr: /is not started \(failure=closed\)/ });
    const broken = join(slurm.dir, 'broken');
    for (const part of ['bin/proc_box', 'dist']) cpSync(join(ROOT, part), join(broken, part), { recursive: true });
    const addon = join(broken, 'native/build/Release/cgroup_utils_native.node');
    mkdirSync(dirname(addon), { recursive: true });
    writeFileSync(addon, 'junk');
    site(slurm, 'install', 'spank', '--default', 'on', '--proc-box', join(broken, 'bin/proc_box'));
    t.match(await srun('-n4', 'sh', '-c', 'echo runs; exit 9'), {
      code: 9,
      stdout: 'runs\n'.repeat(4),
      stderr: /the job runs without a box \(--failure open\)/,
    });
    site(slurm, 'install', 'spank', '--default', 'on', '--failure', 'closed', '--option', 'memory=much');
    t.match(await srun('echo', 'never'), { code: 125, stdout: '', stderr: /PBOX_MEMORY/ });
    const helper = join(slurm.dir, 'lib', 'proc_box-task');
    rmSync(helper);
    t.match(await srun('echo', 'never'), {
      code: 125,
      stdout: '',
      stderr: /proc_box-task: No such .* not started \(f/,
    });
    site(slurm, 'install', 'spank', '--default', 'on');
    rmSync(helper);
    t.match(await srun('echo', 'runs'), { code: 0, stdout: 'runs\n', stderr: /proc_box-task: No .* without a box/ });
    await isIdle(t, slurm);
  });

  t.test('is removed', async (t) => {
    t.equal(site(slurm, 'remove', 'spank').status, 0);
    t.equal(readFileSync(plugstack, 'utf8'), '# the site has lines of its own\n');
    t.equal(site(slurm, 'remove', 'spank').stdout, 'nothing to change\n');
    t.notOk(existsSync(join(slurm.dir, 'lib', 'spank_proc_box.so')));
    t.notMatch((await srun('true')).stderr, BOXED);
    t.match((await srun('--box', 'true')).stderr, /unrecognized option/);
  });
});
