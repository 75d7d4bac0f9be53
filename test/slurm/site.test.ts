// test-timeout: 300s
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { groupsIn } from '../fixtures/cgroups.js';
import { PROC_BOX, job as program } from '../fixtures/run.js';
import { type Slurm, slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** What administrators install: jobs get boxes without their users changing anything, and the removal leaves nothing. */

const SITE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'slurm', 'site.mjs');
const ROOT = dirname(dirname(PROC_BOX));
const BOXED = 'started in box';
const without = withoutSlurm() || (existsSync('/usr/include/slurm/spank.h') ? false : 'needs libslurm-dev');

function site(slurm: Slurm, ...words: string[]) {
  const args = [SITE, ...words, '--etc', slurm.etc, '--lib', join(slurm.dir, 'lib')];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

async function jobOf(slurm: Slurm, lines: string, options: readonly string[] = []) {
  const job = await slurm.sbatch(lines, options);
  const { ExitCode } = await job.ended();
  return { code: ExitCode, stdout: job.stdout(), stderr: job.stderr() };
}

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

/** A node of a job that has just ended is `completing` before it is `idle`; one that is drained never is. */
async function isIdle(t: Test, slurm: Slurm): Promise<void> {
  const states = async () => [...new Set((await slurm.command('sinfo', '-h', '-N', '-o', '%T')).trim().split('\n'))];
  await slurm.until(async () => !(await states()).includes('completing'), 'jobs have ended on the nodes');
  t.strictSame(await states(), ['idle'], 'no node is drained');
}

t.test('words that the installer cannot take change nothing', async (t) => {
  const run = (...words: string[]) => spawnSync(process.execPath, [SITE, ...words], { encoding: 'utf8' });
  const help = run('--help');
  t.equal(help.status, 0);
  for (const option of ['--etc DIR', '--failure open|closed', '--option N=V']) t.ok(help.stdout.includes(option));
  for (const [words, said] of [
    [[], 'expected "install" or "remove", and one of job-submit, prolog, spank; "site.mjs --help" has the options'],
    [['install', 'spank', '--foo'], `Unknown option '--foo'; "site.mjs --help" lists the options`],
    [['install', 'spank', '--default', 'maybe'], '--default maybe: expected on or off'],
    [
      ['install', 'job-submit', '--failure', 'closed'],
      '--failure means nothing to job-submit, but to prolog and spank; there it is in proc_box_policy.lua',
    ],
    [['install', 'spank', '--state', '/x'], '--state means nothing to spank, but to prolog'],
    [['install', 'spank', '--proc-box', 'bin/proc_box'], '--proc-box bin/proc_box: expected the whole path'],
    [['install', 'spank', '--lib', '/a b'], '--lib /a b: expected a path without blanks and quotes'],
    [['install', 'spank', '--etc', '/nowhere'], '/nowhere/slurm.conf does not exist: say with --etc where'],
  ] as const) {
    const { status, stderr } = run(...words);
    t.equal(status, 1);
    t.ok(stderr.startsWith(`proc_box: ${said}`) && stderr.endsWith('\nnothing was changed\n'), stderr);
  }
});

t.test('job_submit.lua', { skip: without }, async (t) => {
  const slurm = await slurmCluster(t);
  const conf = readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8');

  t.test('is installed, says what it does, and does it once', async (t) => {
    const dry = site(slurm, 'install', 'job-submit', '--dry-run');
    t.match(dry.stdout, /would write .*job_submit\.lua/);
    t.equal(readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8'), conf);
    const { status, stdout } = site(slurm, 'install', 'job-submit');
    t.equal(status, 0);
    for (const name of ['proc_box-shebang', 'job_submit.lua', 'proc_box_policy.lua', 'JobSubmitPlugins=lua']) {
      t.match(stdout, name);
    }
    t.equal(site(slurm, 'install', 'job-submit').stdout, 'nothing to change\n');
    await slurm.restartController();
  });

  t.test('batch scripts get a box, whatever their interpreter', async (t) => {
    const bash = jobOf(slurm, 'echo $0; exit 3');
    const python = slurm.run(['sbatch', '--wait', '-o', `${slurm.work}/python`], {
      input: '#!/usr/bin/env -S python3 -u\nimport sys; print(sys.argv[0]); sys.exit(4)\n',
    });
    const wrap = slurm.run(['sbatch', '--wait', '-o', `${slurm.work}/wrap`, '--wrap', 'echo wrapped; exit 5']);
    const refused = jobOf(slurm, 'echo plain', ['--comment=nobox']);
    t.match(await bash, { code: '3:0', stdout: /slurm_script/, stderr: BOXED });
    t.equal((await python).code, 4);
    t.match(slurm.read('python'), BOXED);
    t.equal((await wrap).code, 5);
    t.match(slurm.read('wrap'), /wrapped/);
    t.match(slurm.read('wrap'), BOXED);
    const plain = await refused;
    t.equal(plain.stdout, 'plain\n');
    t.notMatch(plain.stderr, BOXED);
    t.notMatch((await slurm.run(['srun', 'true'])).stderr, BOXED, 'a step passes no job_submit');
  });

  t.test('the policy counts at once, and its errors lose no job', async (t) => {
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    const text = readFileSync(policy, 'utf8');
    writeFileSync(policy, text.replace('return {}\n', 'return { timeout = "1s", ["stop-signal"] = "TERM" }\n'));
    t.match(await jobOf(slurm, 'exec sleep 60'), { code: '124:0', stderr: /wall clock limit 1 s \(environment\)/ });
    writeFileSync(policy, text.replace('return {}\n', 'return nothing.at_all\n'));
    const broken = await jobOf(slurm, 'echo runs');
    t.equal(broken.stdout, 'runs\n');
    t.notMatch(broken.stderr, BOXED);
    writeFileSync(
      policy,
      text.replace('return {}\n', 'return nothing.at_all\n').replace('failure = "open"', 'failure = "closed"'),
    );
    await t.rejects(slurm.sbatch('echo never'), /cannot be boxed, and is refused/);
    writeFileSync(policy, text);
  });

  t.test('the policy knows the partition, also where the user has left it to the default', async (t) => {
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    const text = readFileSync(policy, 'utf8');
    writeFileSync(policy, text.replace('return {}\n', 'return partition == "main" and {} or nil\n'));
    t.match((await jobOf(slurm, 'true')).stderr, BOXED);
    t.match((await jobOf(slurm, 'true', ['--partition=main'])).stderr, BOXED);
    writeFileSync(policy, text.replace('return {}\n', 'return partition ~= "main" and {} or nil\n'));
    t.notMatch((await jobOf(slurm, 'true')).stderr, BOXED);
    writeFileSync(policy, text);
  });

  t.test('what is wrong with a policy or a script is told to who submits', async (t) => {
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    const text = readFileSync(policy, 'utf8');
    const submit = async (input: string) => {
      const { code, stderr } = await slurm.run(['sbatch', '-o', '/dev/null'], { input });
      t.equal(code, 0);
      return stderr;
    };
    for (const [line, why] of [
      [text.replace('return {}\n', 'return "memory=4G"\n'), 'box returns a string, not a table of options or nil'],
      ['return {}', 'expected a table with a function box'],
      ['return 3', 'expected a table with a function box'],
    ] as const) {
      writeFileSync(policy, line);
      const stderr = await submit('#!/bin/sh\ntrue\n');
      t.match(stderr, `sbatch: proc_box: this job runs without a box: ${policy}: ${why}\n`);
    }
    writeFileSync(policy, text);
    t.match(
      await submit(`#!/bin/sh ${'x'.repeat(240)}\ntrue\n`),
      'this job runs without a box: the first line of the script would be over 255 characters long\n',
    );
    t.equal(await submit('#!\ntrue\n'), '', 'no interpreter: as Slurm takes it');
  });

  t.test('where the executable is missing on the node', async (t) => {
    const shebang = join(slurm.dir, 'lib', 'proc_box-shebang');
    const text = readFileSync(shebang, 'utf8');
    writeFileSync(shebang, text.replace(`proc_box=${PROC_BOX}`, 'proc_box=/nowhere/proc_box'));
    t.match(await jobOf(slurm, 'echo runs'), { code: '0:0', stdout: 'runs\n', stderr: /runs without a box/ });
    const closed = await slurm.sbatch('echo never', [], { env: { PBOX_FAILURE: 'closed' } });
    t.equal((await closed.ended())['ExitCode'], '125:0');
    t.match(closed.stderr(), /is not started \(failure=closed\)/);
    writeFileSync(shebang, text);
    await isIdle(t, slurm);
  });

  t.test('is removed, but for what the site has changed', async (t) => {
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    writeFileSync(policy, `${readFileSync(policy, 'utf8')}-- ours\n`);
    const { status, stdout } = site(slurm, 'remove', 'job-submit');
    t.equal(status, 0);
    t.match(stdout, `keep ${policy}`);
    t.ok(existsSync(policy));
    t.notOk(existsSync(join(slurm.etc, 'job_submit.lua')));
    t.equal(readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8'), conf);
    await slurm.restartController();
    const plain = await jobOf(slurm, 'echo plain');
    t.equal(plain.stdout, 'plain\n');
    t.notMatch(plain.stderr, BOXED);
  });

  t.test('what it does not know is refused', async (t) => {
    writeFileSync(join(slurm.etc, 'proc_box.lua'), '-- something else\n');
    const own = site(slurm, 'install', 'job-submit');
    t.equal(own.status, 1);
    t.match(own.stderr, /proc_box\.lua: not as proc_box has written it.*\nnothing was changed/);
    t.notOk(existsSync(join(slurm.dir, 'lib', 'proc_box-shebang')));
    rmSync(join(slurm.etc, 'proc_box.lua'));
    writeFileSync(join(slurm.etc, 'slurm.conf'), `${conf}JobSubmitPlugins=throttle\n`);
    t.match(site(slurm, 'install', 'job-submit').stderr, /add ",lua" to it/);
    writeFileSync(join(slurm.etc, 'slurm.conf'), conf);
  });

  t.test('a site with a job_submit.lua of its own calls ours', async (t) => {
    const script = join(slurm.etc, 'job_submit.lua');
    const lua = (first: string, last: string) => `${first}
function slurm_job_submit(job_desc, part_list, submit_uid)
  job_desc.comment = "seen by the site"
  ${last}
end
function slurm_job_modify() return slurm.SUCCESS end
return slurm.SUCCESS
`;
    const plain = lua('', 'return slurm.SUCCESS');
    writeFileSync(script, plain);
    writeFileSync(join(slurm.etc, 'slurm.conf'), `${conf}JobSubmitPlugins=lua\n`);
    await slurm.restartController();
    const refused = site(slurm, 'install', 'job-submit');
    t.match(
      refused.stderr,
      /job_submit\.lua is the site's own: try again with --called job_submit\.lua, and then add to it/,
    );
    t.match(refused.stderr, 'nothing was changed');
    const called = ['install', 'job-submit', '--called', 'job_submit.lua'];
    const [, first = '', last = ''] = /add to \S+ `(.*?)` and, .*?`(.*?)`/.exec(site(slurm, ...called).stdout) ?? [];
    t.equal(readFileSync(script, 'utf8'), plain, "what is the site's stays");
    writeFileSync(script, lua(first, last));
    t.match(site(slurm, ...called).stdout, /nothing to change\n$/);
    await slurm.restartController();
    const job = await slurm.sbatch('exit 3');
    const { ExitCode, Comment } = await job.ended();
    t.strictSame([ExitCode, Comment], ['3:0', 'seen'], "the site's own word counts, too");
    t.match(job.stderr(), BOXED);

    t.match(site(slurm, 'remove', 'job-submit').stderr, /job_submit\.lua still has .* take them out first/);
    writeFileSync(script, plain);
    t.equal(site(slurm, 'remove', 'job-submit').status, 0);
    t.equal(readFileSync(script, 'utf8'), plain);
    rmSync(script);
    t.equal(site(slurm, 'install', 'job-submit').status, 0);
    t.match(site(slurm, 'remove', 'job-submit').stderr, /slurmctld does not start with "lua" in it/);
    t.ok(existsSync(script));
  });
});

t.test('the SPANK plugin', { skip: without }, async (t) => {
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
    t.match(options.stderr, /nofile=77:88 .*fsize=1048576:1048576 .*cpuset=0 /);
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
    const [plain, off, missing, multi] = await Promise.all([
      srun('true'),
      srun('--box=off', 'true'),
      srun('/nowhere/program'),
      srun('-n2', '--multi-prog', join(slurm.work, 'multi')),
    ]);
    t.match(plain.stderr, BOXED);
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
    t.equal(shown.stderr.match(/memory=67108864 \(cgroup1\), pids=16 \(cgroup1\)/g)?.length, 4, shown.stderr);
    t.equal(
      shown.stdout.match(/memory:\S*\/slurm_\S*\/step_0\/\S*\/proc_box\.task\.\d+\/proc_box-\w+-\d+\.0\.\d$/gm)?.length,
      4,
    );
    t.equal((await batch.ended())['ExitCode'], '0:0');
    t.match(groupsIn(batch.stdout())['cpu'], /\/proc_box\.task\.\d+\/proc_box-/);
    t.match(
      batch.stderr(),
      /memory=67108864 \(cgroup1\), cpus=0.5 \(cgroup1\), cpuset=0 \(cgroup1\), pids=16 \(cgroup1\)/,
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
