// test-timeout: 240s
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { listens } from '../fixtures/adopted.js';
import { ask, collect, foreignClient, sharedBroker, unique } from '../fixtures/broker.js';
import { groupsIn } from '../fixtures/cgroups.js';
import { processesWith, until } from '../fixtures/processes.js';
import { PROC_BOX } from '../fixtures/run.js';
import { type Slurm, slurmCluster, withoutSlurm } from '../fixtures/slurm.js';

/** Every task of every job is boxed by Prolog, TaskProlog, TaskEpilog and Epilog, and nobody has asked for it. */

const SITE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'slurm', 'site.mjs');
const USER = 65534;

interface Site {
  readonly slurm: Slurm;
  /** Where the prolog keeps what it knows of running jobs. */
  readonly state: string;
  readonly policy: string;
  run(verb: 'install' | 'remove', ...options: string[]): string;
  /** Waits until the epilog has taken everything away. */
  clean(): Promise<void>;
}

async function site(t: Test, proctrack: 'cgroup' | 'linuxproc', options: readonly string[]): Promise<Site> {
  const slurm = await slurmCluster(t, { proctrack });
  const state = join(slurm.dir, 'run');
  const where = ['--etc', slurm.etc, '--lib', join(slurm.dir, 'lib'), '--state', state, '--proc-box', PROC_BOX];
  const run: Site['run'] = (verb, ...more) =>
    execFileSync(process.execPath, [SITE, verb, 'prolog', ...where, ...more], { encoding: 'utf8' });
  run('install', ...options.flatMap((word) => ['--option', word]));
  await slurm.command('scontrol', 'reconfigure');
  return {
    slurm,
    state,
    policy: join(slurm.etc, 'proc_box_prolog.conf'),
    run,
    clean: async () => {
      await until(() => !existsSync(state) || readdirSync(state).length === 0, 'the epilog has ended', 30_000);
      t.strictSame(delegatedGroups(slurm), [], 'no group is left');
    },
  };
}

function delegatedGroups(slurm: Slurm): string[] {
  // Its status tells of directories that went while it looked.
  const words = ['/sys/fs/cgroup', '-type', 'd', '-name', `proc_box.${slurm.nodes[0]}.*`];
  const { stdout } = spawnSync('find', words, { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean);
}

/** The logs of the boxes of running jobs. */
function logs(state: string): string {
  const own = readdirSync(state).map((job) => join(state, job, 'own'));
  return own
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.log'))
        .map((name) => join(folder, name)),
    )
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
}

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
    t.match(removed, /take the lines of proc_box prolog out of/);
    t.equal(at.run('remove'), 'nothing to change\n');
    t.notMatch(readFileSync(join(slurm.etc, 'slurm.conf'), 'utf8'), /prolog/i);
    await slurm.command('scontrol', 'reconfigure');
    const { code, stdout } = await slurm.run(['srun', '-n1', 'sh', '-c', 'grep pids: /proc/self/cgroup; ulimit -n'], {
      uid: USER,
      env,
    });
    t.equal(code, 0);
    t.notMatch(stdout, /proc_box|^321$/m);
  });
  t.ok(existsSync(state));
});

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
