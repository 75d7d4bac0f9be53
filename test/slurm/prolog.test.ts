// test-timeout: 300s
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { listens } from '../fixtures/adopted.js';
import { ask, collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { groupsIn } from '../fixtures/cgroups.js';
import { processesWith, until } from '../fixtures/processes.js';
import { groupsOfNode, logs, SITE, type Site, site, USER } from '../fixtures/prolog-site.js';
import { PROC_BOX } from '../fixtures/run.js';
import { slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** Every task of every job is boxed by Prolog, TaskProlog, TaskEpilog and Epilog, and nobody has asked for it. */

t.test('proctrack/cgroup', { skip: withoutSlurm() }, async (t) => {
  const uri = await sharedBroker(t);
  const key = unique('prolog');
  const keys = [`rkey=${key}`, `skey=${key}.stats`, `ekey=${key}.events`];
  const at = await site(t, 'cgroup', [
    `uri=${uri}`,
    ...keys,
    'config=none',
    'pids=50',
    'rlimit=nofile=321:321',
    'sint=0',
  ]);
  const { slurm, state } = at;
  const { channel } = await foreignClient(t, uri);
  const events = await collect(channel, 'amq.topic', `${key}.events.#`);
  const told = (name: string, job?: string) =>
    events.messages
      .map(({ content }) => JSON.parse(content.toString()))
      .filter((event) => event.event === name && (job === undefined || event.identity.job === job));
  const env = { PBOX_URI: '', PBOX_CONFIG: '' };

  await t.test('a second installation changes nothing', async (t) => {
    const options = [`uri=${uri}`, ...keys, 'config=none', 'pids=50', 'rlimit=nofile=321:321', 'sint=0'];
    t.equal(at.run('install', ...options.flatMap((word) => ['--option', word])), 'nothing to change\n');
  });

  await t.test('an ordinary srun: its own output and status, inside of a box', async (t) => {
    const command = 'cat /proc/self/cgroup; ulimit -Sn; ulimit -Hn; sleep 0.5; echo done; exit 7';
    const { code, stdout, stderr } = await slurm.run(['srun', '-n1', 'sh', '-c', command], { uid: USER, env });
    t.equal(code, 7);
    t.match(stdout, /\n321\n321\ndone\n$/, 'soft and hard limits stay what the prolog made them');
    t.notMatch(stderr, 'proc_box');
    const groups = groupsIn(stdout);
    t.match(groups['pids'], /\/proc_box\.[^/]+\/proc_box-\w+-\d+\.0\.0$/);
    t.match(groups['freezer'], /\/slurm_.*\/step_0$/, "Slurm's own groups stay as they are");
    const [started] = await until(() => told('started').length > 0 && told('started'), 'started is told');
    t.match(started, { adopted: true, executable: 'sh', identity: { scheduler: 'slurm', step: '0', task: '0' } });
    t.match(started.limits['pids'], { value: 50, enforcement: 'cgroup1' });
    const [exited] = await until(
      () => told('exited').length > 0 && told('exited'),
      'its end is told before Slurm kills us',
    );
    t.ok(exited.usage.memory_peak_bytes < 20 * 2 ** 20, "not slurmstepd's memory");
    await at.clean();
  });

  await t.test('a batch script, and a command by its job', async (t) => {
    const job = await slurm.sbatch('trap "exit 5" QUIT; echo up; while :; do sleep 0.05; done', ['--export=NIL'], {
      uid: USER,
      env,
    });
    await job.says('up');
    await until(() => told('started', job.id).length > 0, 'started is told', 30_000);
    t.match(told('started', job.id)[0].identity, { job: job.id, step: 'batch' });
    const to = { exchange: 'amq.topic', key: `${key}.job.${job.id}` };
    await listens(channel, to);
    const { body } = await ask(channel, to, { command: 'stop' });
    t.match(body, { ok: true });
    const { ExitCode } = await job.ended();
    t.equal(ExitCode, '5:0');
    await until(() => told('exited', job.id).length > 0, 'its end is told');
    t.match(told('exited', job.id)[0], { reason: 'stopped' });
    await at.clean();
  });

  await t.test('8 tasks at once, each in a box of its own', async (t) => {
    const { code, stdout } = await slurm.run(['srun', '-n8', 'sh', '-c', 'grep pids /proc/self/cgroup'], {
      uid: USER,
      env,
    });
    t.equal(code, 0);
    t.equal(new Set(stdout.trim().split('\n')).size, 8);
    await at.clean();
  });

  await t.test('what a task leaves behind is gone with its job', async (t) => {
    const mark = unique('STRAY');
    const { code } = await slurm.run(['srun', '-n1', 'sh', '-c', '(setsid sleep 600 &); sleep 0.1'], {
      uid: USER,
      env: { ...env, MARK: mark },
    });
    t.equal(code, 0);
    await at.clean();
    t.strictSame(processesWith(`MARK=${mark}`), []);
  });

  await t.test('by user and partition: more options, or no box', async (t) => {
    const before = readFileSync(at.policy, 'utf8');
    writeFileSync(
      at.policy,
      before.replace('    *) ;;', "    main:nobody) echo '--timeout 300ms --stop-signal TERM' ;;"),
    );
    const stopped = await slurm.run(['srun', '-n1', 'sleep', '60'], { uid: USER, env });
    t.not(stopped.code, 0);
    await until(() => told('exited').some(({ reason }) => reason === 'timeout'), 'it was the time limit');
    writeFileSync(at.policy, before.replace('    *) ;;', '    main:nobody) echo none ;;'));
    const { stdout } = await slurm.run(['srun', '-n1', 'sh', '-c', 'grep pids: /proc/self/cgroup; ulimit -n'], {
      uid: USER,
      env,
    });
    t.notMatch(stdout, /proc_box|^321$/m);
    writeFileSync(at.policy, before);
    await at.clean();
  });

  await t.test(
    'open: a task whose box cannot be made runs without; closed: it does not start, and the node stays',
    async (t) => {
      const before = readFileSync(at.policy, 'utf8');
      const broken: readonly (readonly [string, string, RegExp])[] = [
        [
          'no executable',
          before.replace(/^proc_box=.*/m, 'proc_box=/nowhere/proc_box'),
          /\/nowhere\/proc_box: not found/,
        ],
        ['bad options', before.replace(/^options=.*/m, "options='--memry 1G'"), /unknown option "--memry"/],
        ['no Node', before.replace(/^proc_box=.*/m, 'proc_box=/bin/false'), /was not made|is not started: $/m],
      ];
      for (const [what, text, why] of broken) {
        writeFileSync(at.policy, text);
        const open = await slurm.run(['srun', '-n1', 'echo', 'runs'], { uid: USER, env });
        t.strictSame([open.code, open.stdout], [0, 'runs\n'], `${what}, open`);
        writeFileSync(at.policy, text.replace('failure=open', 'failure=closed'));
        const closed = await slurm.run(['srun', '-n1', 'echo', 'runs'], { uid: USER, env });
        t.not(closed.code, 0, `${what}, closed`);
        t.match(closed.stdout, /proc_box: error: this task is not started: /);
        t.match(closed.stdout, why);
        t.notMatch(closed.stdout, /^runs$/m);
      }
      for (const policy of ['open', 'closed']) {
        writeFileSync(at.policy, `failure=${policy}\n)syntax error\n`);
        const { code, stdout } = await slurm.run(['srun', '-n1', 'echo', 'runs'], { uid: USER, env });
        t.equal(code === 0, policy === 'open', `a policy that is no shell, ${policy}`);
        t.equal(/^runs$/m.test(stdout), policy === 'open');
      }
      writeFileSync(at.policy, before);
      await at.clean();
      await until(
        () => execFileSync('sinfo', ['-h', '-o', '%T'], { env: slurm.env, encoding: 'utf8' }).trim() === 'idle',
        'the node is not drained',
      );
    },
  );

  await t.test('removed: nobody is boxed, and slurm.conf is as before', async (t) => {
    const removed = at.run('remove');
    t.match(removed, /remove the lines of proc_box prolog from/);
    t.match(removed, /next: scontrol reconfigure; then the same command again/);
    t.notMatch(readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8'), /prolog/i);
    t.throws(() => at.run('remove'), /the running Slurm still calls/, 'a node without its Prolog is drained');
    t.equal((await slurm.run(['srun', '-n1', 'true'], { uid: USER, env })).code, 0);
    await slurm.command('scontrol', 'reconfigure');
    t.match(at.run('remove'), /remove .*prolog\/epilog/);
    t.equal(at.run('remove'), 'nothing to change\n');
    t.strictSame(readdirSync(join(slurm.dir, 'lib', 'prolog')), []);
    const words = ['srun', '-n1', 'sh', '-c', 'grep pids: /proc/self/cgroup; ulimit -n'];
    const { code, stdout, stderr } = await slurm.run(words, { uid: USER, env });
    t.equal(code, 0, stderr);
    t.notMatch(stdout, /proc_box|^321$/m);
  });
  t.ok(existsSync(state));
});

t.test('four nodes, and a site with scripts of its own', { skip: withoutSlurm() }, async (t) => {
  const uri = await sharedBroker(t);
  const key = unique('prolog');
  const { channel } = await foreignClient(t, uri);
  const events = await collect(channel, 'amq.topic', `${key}.events.#`);
  const slurm = await slurmCluster(t, { nodes: 4, cgroupConf: 'ConstrainRAMSpace=yes' });
  const own = (name: string, text: string) => {
    const path = join(slurm.etc, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };
  const called = join(slurm.dir, 'lib', 'prolog', 'task-prolog');
  const taskProlog = own('task-prolog.sh', 'echo export SITE=yes');
  own('prolog.d/site', 'exit 0');
  own('epilog.d/site', 'exit 0');
  slurm.addConf(`Prolog=${slurm.etc}/prolog.d/*\nEpilog=${slurm.etc}/epilog.d/*\nTaskProlog=${taskProlog}`);
  const before = readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8');
  const state = join(slurm.dir, 'run');
  const spool = join(slurm.dir, 'spool');
  mkdirSync(spool, { mode: 0o1777 });
  chmodSync(spool, 0o1777);
  const options = [
    `uri=${uri}`,
    `rkey=${key}`,
    `skey=${key}.stats`,
    `ekey=${key}.events`,
    'config=none',
    'pids=50',
    'sint=0',
  ];
  const words = ['--etc', slurm.etc, '--lib', join(slurm.dir, 'lib'), '--state', state, '--proc-box', PROC_BOX];
  words.push(...[...options, `spool-dir=${spool}`].flatMap((option) => ['--option', option]));
  const site = (verb: string, ...more: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SITE, verb, 'prolog', ...words, ...more], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const clean = () =>
    until(() => !existsSync(state) || readdirSync(state).length === 0, 'every epilog has ended', 60_000);
  const env = { PBOX_URI: '', PBOX_CONFIG: '' };

  await t.test("a script of the site's own is refused, until it is said to call ours", async (t) => {
    t.match(site('install'), {
      status: 1,
      stderr: /TaskProlog=\S+ is the site's own: try again with --called TaskProlog/,
    });
    t.match(site('install', '--called', 'TaskProlog,TaskEpilog'), {
      status: 1,
      stderr: /has no TaskEpilog that could call ours/,
    });
    t.notOk(existsSync(called));
    const { stdout } = site('install', '--called', 'TaskProlog');
    t.match(stdout, `let ${taskProlog} (TaskProlog) run ${called}`);
    for (const name of ['prolog', 'epilog']) t.match(stdout, `write ${slurm.etc}/${name}.d/proc_box-${name}`);
    own('task-prolog.sh', `echo export SITE=yes\nexec ${called}`);
    t.equal(site('install', '--called', 'TaskProlog').stdout, 'nothing to change\n');
    await slurm.command('scontrol', 'reconfigure');
  });

  await t.test(
    'eight tasks on four nodes, each in its box; strays go with the job, and the nodes are clean',
    async (t) => {
      const mark = unique('STRAY');
      const script = 'grep pids: /proc/self/cgroup; echo $SITE; (setsid sleep 600 &)';
      const options = { uid: USER, env: { ...env, MARK: mark } };
      const { code, stdout, stderr } = await slurm.run(['srun', '-N4', '-n8', 'sh', '-c', script], options);
      t.equal(code, 0);
      t.notMatch(stderr, /cannot open|proc_box/, 'nothing of ours is in its output');
      t.equal(new Set(stdout.match(/proc_box-\w+-\d+\.0\.\d/g)).size, 8, stdout);
      t.equal(stdout.match(/^yes$/gm)?.length, 8);
      await clean();
      t.strictSame(processesWith(`MARK=${mark}`), []);
      for (const node of slurm.nodes) t.strictSame(groupsOfNode(node), []);
    },
  );

  await t.test('the epilog kills strays of its job, and of no other', async (t) => {
    const [mark, other] = [unique('STRAY'), unique('STRAY')];
    const neighbour = slurm.start(['srun', '-N1', '-n1', '-w', slurm.nodes[0]!, 'sh', '-c', 'echo up; sleep 600'], {
      uid: USER,
      env: { ...env, MARK: other },
    });
    await slurm.until(() => neighbour.stdout().includes('up'), 'another job runs there');
    const job = await slurm.sbatch(
      '(setsid sleep 600 &); srun -N1 -n1 sleep 600 & sleep 600',
      ['-w', slurm.nodes[0]!],
      {
        uid: USER,
        env: { ...env, MARK: mark },
      },
    );
    await slurm.until(() => processesWith(`MARK=${mark}`).length >= 4, 'it runs');
    await slurm.command('scancel', job.id);
    await slurm.until(() => processesWith(`MARK=${mark}`).length === 0, 'nothing of it is left', 60_000);
    t.not(processesWith(`MARK=${other}`).length, 0);
    await slurm.command('scancel', '-u', '65534');
    await neighbour.done;
    await clean();
  });

  await t.test("groups of a user's own box go with its job, though Slurm has killed the step at once", async (t) => {
    const client = slurm.start(['srun', '-N1', '-n1', PROC_BOX, '--memory', '32M', '--', 'sleep', '600'], {
      uid: USER,
    });
    await slurm.until(() => client.stderr().includes('started in box'), 'it runs');
    const id = (await slurm.command('squeue', '-h', '-o', '%A')).trim();
    await slurm.command('scancel', `${id}.0`);
    await client.done;
    await clean();
    t.strictSame([...slurm.groups('proc_box-'), ...slurm.groups('job_')], []);
  });

  await t.test('what boxes could not deliver is delivered by the epilog', async (t) => {
    const policy = join(slurm.etc, 'proc_box_prolog.conf');
    const text = readFileSync(policy, 'utf8');
    writeFileSync(policy, text.replace(uri, 'amqp://127.0.0.1:1').replace(/^wait=3/m, 'wait=1'));
    const offline = await slurm.run(['srun', '-N1', '-n1', 'sleep', '0.5'], { uid: USER, env });
    t.equal(offline.code, 0);
    await clean();
    t.not(spoolFiles(spool).length, 0, 'they are on disk');
    writeFileSync(policy, text);
    const told = events.messages.length;
    const online = await slurm.run(['srun', '-N1', '-n1', 'true'], { uid: USER, env });
    t.equal(online.code, 0);
    await slurm.until(() => spoolFiles(spool).length === 0, 'the spool is empty', 60_000);
    t.ok(events.messages.length > told);
    await clean();
  });

  await t.test('removed in two steps, and no node is drained', async (t) => {
    t.match(site('remove'), {
      status: 1,
      stderr: /task-prolog\.sh \(TaskProlog\) still runs .*: remove that from it first/,
    });
    own('task-prolog.sh', 'echo export SITE=yes');
    t.match(site('remove').stdout, /remove .*prolog\.d\/proc_box-prolog[\s\S]*next: scontrol reconfigure/);
    await slurm.command('scontrol', 'reconfigure');
    t.equal(site('remove').status, 0);
    t.equal(site('remove').stdout, 'nothing to change\n');
    t.equal(readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8'), before);
    t.match(await slurm.run(['srun', '-N4', '-n4', 'sh', '-c', 'echo $SITE'], { uid: USER, env }), {
      stdout: 'yes\n'.repeat(4),
    });
    const states = (await slurm.command('sinfo', '-h', '-N', '-o', '%T')).trim().split('\n');
    t.notOk(
      states.some((state) => /drain|down/.test(state)),
      `${states}`,
    );
  });

  await t.test('the last script of a folder is not taken away: Slurm would drain the node', async (t) => {
    rmSync(join(slurm.etc, 'prolog.d', 'site'));
    t.equal(site('install', '--called', 'TaskProlog').status, 0);
    t.match(site('remove'), {
      status: 1,
      stderr: /is the only one there, and Slurm drains nodes where Prolog=\S+ finds nothing/,
    });
    t.ok(existsSync(join(slurm.etc, 'prolog.d', 'proc_box-prolog')));
  });
});

function spoolFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.spool'));
}

t.test(
  'proctrack/linuxproc: what supervises is no process of the step',
  { skip: withoutSlurm('linuxproc') },
  async (t) => {
    const at = await site(t, 'linuxproc', ['uri=none', 'config=none', 'pids=50', 'report']);
    const mark = unique('STRAY');
    const script =
      'grep -E "pids:|freezer:" /proc/self/cgroup; (setsid sh -c "sleep 600" &); sleep 0.1; echo up; read x; echo end';
    const running = at.slurm.start(['srun', '-n1', 'sh', '-c', script], {
      uid: USER,
      env: { MARK: mark },
      input: 'x\n',
    });
    const { code, stdout } = await running.done;
    t.equal(code, 0);
    t.match(stdout, /pids:\S*proc_box-/);
    t.match(stdout, /freezer:\S*proc_box\./, 'a freezer where Slurm has none');
    await at.clean();
    t.strictSame(processesWith(`MARK=${mark}`), []);
    t.strictSame(logsOf(at), '');
  },
);

function logsOf({ state }: Site): string {
  return existsSync(state) ? logs(state) : '';
}
