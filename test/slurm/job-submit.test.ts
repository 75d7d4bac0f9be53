// test-timeout: 300s
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROC_BOX } from '../fixtures/run.js';
import { slurmCluster } from '../fixtures/slurm.js';
import { isIdle, jobOf, site, siteWords, withoutSite } from '../fixtures/slurm-site.js';

/** What administrators install: jobs get boxes without their users changing anything, and the removal leaves nothing. */

const BOXED = 'started in box';
/** What the policy of these tests returns: options of a box that says so. */
const SHOWN = '{ quiet = false }';

t.test('words that the installer cannot take change nothing', async (t) => {
  const help = siteWords('--help');
  t.equal(help.status, 0);
  for (const option of ['--etc DIR', '--failure open|closed', '--option N=V']) t.ok(help.stdout.includes(option));
  for (const [words, said] of [
    [[], 'expected "install" or "remove", and one of job-submit, prolog, spank; "site.mjs --help" has the options'],
    [['install', 'spank', '--foo'], `Unknown option '--foo'; "site.mjs --help" lists the options`],
    [['install', 'spank', '--default', 'maybe'], '--default maybe: expected on or off'],
    [
      ['install', 'job-submit', '--failure', 'closed'],
      '--failure is not an option of job-submit, but of prolog and spank; set it in proc_box_policy.lua instead',
    ],
    [['install', 'spank', '--state', '/x'], '--state is not an option of spank, but of prolog'],
    [['install', 'spank', '--proc-box', 'bin/proc_box'], '--proc-box bin/proc_box: expected the absolute path'],
    [['install', 'spank', '--lib', '/a b'], '--lib /a b: expected a path without blanks and quotes'],
    [['install', 'spank', '--etc', '/nowhere'], '/nowhere/slurm.conf does not exist: name the directory of slurm.conf'],
  ] as const) {
    const { status, stderr } = siteWords(...words);
    t.equal(status, 1);
    t.ok(stderr.startsWith(`proc_box: ${said}`) && stderr.endsWith('\nnothing was changed\n'), stderr);
  }
});

t.test('job_submit.lua', { skip: withoutSite() }, async (t) => {
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
    t.match(await jobOf(slurm, 'echo ran; exit 3'), { code: '3:0', stdout: 'ran\n', stderr: '' }, 'boxes are quiet');
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    writeFileSync(policy, readFileSync(policy, 'utf8').replace('return {}\n', `return ${SHOWN}\n`));
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
    writeFileSync(policy, text.replace(SHOWN, '{ timeout = "1s", ["stop-signal"] = "TERM", quiet = false }'));
    t.match(await jobOf(slurm, 'exec sleep 60'), { code: '124:0', stderr: /wall clock limit 1 s \(environment\)/ });
    writeFileSync(policy, text.replace(SHOWN, 'nothing.at_all'));
    const broken = await jobOf(slurm, 'echo runs');
    t.equal(broken.stdout, 'runs\n');
    t.notMatch(broken.stderr, BOXED);
    writeFileSync(policy, text.replace(SHOWN, 'nothing.at_all').replace('failure = "open"', 'failure = "closed"'));
    await t.rejects(slurm.sbatch('echo never'), /cannot be boxed, and is refused/);
    writeFileSync(policy, text);
  });

  t.test('the policy knows the partition, also where the user has left it to the default', async (t) => {
    const policy = join(slurm.etc, 'proc_box_policy.lua');
    const text = readFileSync(policy, 'utf8');
    writeFileSync(policy, text.replace(SHOWN, `partition == "main" and ${SHOWN} or nil`));
    t.match((await jobOf(slurm, 'true')).stderr, BOXED);
    t.match((await jobOf(slurm, 'true', ['--partition=main'])).stderr, BOXED);
    writeFileSync(policy, text.replace(SHOWN, `partition ~= "main" and ${SHOWN} or nil`));
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
      [text.replace(SHOWN, '"memory=4G"'), 'box returns a string, not a table of options or nil'],
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
      'this job runs without a box: the first line of the script would be longer than 255 characters\n',
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

    t.match(site(slurm, 'remove', 'job-submit').stderr, /job_submit\.lua still has .* remove them first/);
    writeFileSync(script, plain);
    t.equal(site(slurm, 'remove', 'job-submit').status, 0);
    t.equal(readFileSync(script, 'utf8'), plain);
    rmSync(script);
    t.equal(site(slurm, 'install', 'job-submit').status, 0);
    t.match(site(slurm, 'remove', 'job-submit').stderr, /slurmctld does not start with "lua" in it/);
    t.ok(existsSync(script));
  });
});
