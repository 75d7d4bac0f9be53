// test-timeout: 300s
import { chownSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { collect, foreignClient, privateBroker, unique } from '../fixtures/broker.js';
import { groupsIn } from '../fixtures/cgroups.js';
import { processesWith, processState } from '../fixtures/processes.js';
import { PROC_BOX, job as program } from '../fixtures/run.js';
import { type ClientOptions, type Slurm, slurmCluster, withoutSlurm } from '../fixtures/slurm.js';
import { openTerminal } from '../fixtures/terminal.js';

/** proc_box as users type it, in a real Slurm of four nodes. */

const NOBODY = 65534;
const DOCS = join(PROC_BOX, '../../docs/slurm.md');
const DAEMONS = ['munged', 'slurmctld', 'slurmd', 'slurmscriptd'];

t.test('srun, sbatch and their kinds', { skip: withoutSlurm() }, async (t) => {
  const slurm = await slurmCluster(t, { nodes: 4, cgroupConf: 'ConstrainRAMSpace=yes\nConstrainCores=no' });

  t.test("srun proc_box: output, exit status and identity are the job's", async (t) => {
    const { code, stdout, stderr } = await slurm.run(['srun', '-n1', PROC_BOX, '--', 'sh', '-c', 'echo hello; exit 7']);
    t.equal(code, 7);
    t.equal(stdout, 'hello\n');
    t.match(stderr, /job \d+ step 0 task 0 started in box/);
    t.notMatch(stderr, 'not the top process');
  });

  t.test('a controller that does not answer costs one warning', async (t) => {
    const words = ['srun', '-n1', 'env', 'PATH=/nowhere', PROC_BOX, '--timeout', 'scheduler', '--', '/bin/sleep', '1'];
    const { code, stderr } = await slurm.run(words);
    t.equal(code, 0);
    t.equal(stderr.match(/the end of the job is unknown, and the box goes on: squeue/g)?.length, 1, stderr);
  });

  t.test('--timeout scheduler asks the controller: the environment may be older than the time limit', async (t) => {
    const hence = String(Math.round(Date.now() / 1000) + 86_400);
    const cases = [
      ['2', /the job ends in (?:2 min|1 min \d\d s).*: the box stops itself/],
      ['0', /the job has no time limit, so the box has no wall clock limit \(scheduler\)/],
    ] as const;
    for (const [minutes, told] of cases) {
      const go = join(slurm.work, `go-${minutes}`);
      const job = ['sh', '-c', `until [ -e ${go} ]; do sleep 0.1; done`];
      const words = ['srun', '-n1', `--time=${minutes}`, 'env', `SLURM_JOB_END_TIME=${hence}`];
      const client = slurm.start([...words, PROC_BOX, '--timeout', 'scheduler', '--', ...job]);
      await slurm.until(() => told.test(client.stderr()), `--time=${minutes}: ${told}`);
      writeFileSync(go, '');
      t.equal((await client.done).code, 0, `--time=${minutes}`);
    }
  });

  t.test('an ordinary user', async (t) => {
    const words = ['srun', '-n1', PROC_BOX, '--report', '--', 'id', '-u'];
    const { code, stdout, stderr } = await slurm.run(words, { uid: NOBODY });
    t.equal(code, 0);
    t.equal(stdout, `${NOBODY}\n`);
    t.match(stderr, /user nobody/);
  });

  t.test("an ordinary user's memory limit ends a short job, whoever may write Slurm's groups", async (t) => {
    const moment = ['python3', '-c', 'bytearray(104 << 20)'];
    const words = ['srun', '-n1', '--mem=300', PROC_BOX, '--memory', '64M', '--report', '--', ...moment];
    const { code, stderr } = await slurm.run(words, { uid: NOBODY });
    t.equal(code, 137, stderr);
    const mayWrite = /memory=64 MiB \(cgroup1\)/.test(stderr);
    t.comment(mayWrite ? "Slurm's groups belong to the user" : "Slurm's groups belong to root");
    if (mayWrite) t.match(stderr, /ended +oom: SIGKILL/);
    else t.match(stderr, /memory is held by sampling only: mkdir \S+: EACCES.*/);
    if (!mayWrite) t.match(stderr, /ended +memory/);
  });

  t.test('exec proc_box and srun proc_box in batch scripts, and --wrap', async (t) => {
    const top = await slurm.sbatch(`exec ${PROC_BOX} sh -c 'echo batch; exit 3'`);
    const step = await slurm.sbatch(`srun ${PROC_BOX} sh -c 'echo step; exit 4'`);
    const wrap = await slurm.sbatch('', ['-o', `${slurm.work}/wrap.%j`, '--wrap', `exec ${PROC_BOX} sh -c 'exit 5'`]);
    const bare = await slurm.sbatch(`${PROC_BOX} echo bare; ${PROC_BOX} --nowarn echo quiet`);
    const ended = await Promise.all([top, step, wrap, bare].map((job) => job.ended()));
    t.strictSame(
      ended.map(({ ExitCode }) => ExitCode),
      ['3:0', '4:0', '5:0', '0:0'],
    );
    t.equal(top.stdout(), 'batch\n');
    t.equal(step.stdout(), 'step\n');
    t.notMatch(top.stderr() + step.stderr(), 'not the top process');
    const warnings = bare.stderr().match(/not the top process of its step: slurm_script.*exec proc_box/g);
    t.equal(warnings?.length, 1, bare.stderr());
  });

  t.test('a script that handles TERM itself is not warned of', async (t) => {
    const job = await slurm.sbatch(`trap 'kill $!' TERM; ${PROC_BOX} true & wait $!`);
    await job.ended();
    t.match(job.stderr(), 'step batch task 0 started in box');
    t.notMatch(job.stderr(), 'not the top process');
  });

  t.test('array tasks are named as users type them', async (t) => {
    const script = `exec ${PROC_BOX} sh -c 'echo $SLURM_ARRAY_TASK_ID'`;
    const out = `${slurm.work}/array.%a`;
    const job = await slurm.sbatch(script, ['--array=3,7', `--output=${out}`, `--error=${out}`]);
    await slurm.until(async () => (await slurm.command('squeue', '-h', '-j', job.id)) === '', 'the array has ended');
    for (const task of [3, 7]) t.match(slurm.read(`array.${task}`), `job ${job.id}_${task} step batch task 0`);
  });

  t.test('a heterogeneous job has one name, and ranks that differ', async (t) => {
    const words = ['srun', '-n1', PROC_BOX, 'true', ':', '-n2', PROC_BOX, 'true'];
    const { code, stderr } = await slurm.run(words);
    t.equal(code, 0);
    const names = [...stderr.matchAll(/job (\S+) step 0 task (\d) started/g)].map(([, job, task]) => [job, task]);
    t.equal(new Set(names.map(([job]) => job)).size, 1, stderr);
    t.strictSame(names.map(([, task]) => task).sort(), ['0', '1', '2']);
  });

  t.test('ranks meet over the descriptor that Slurm has left to them', async (t) => {
    const { stdout: plugins, stderr: list } = await slurm.run(['srun', '--mpi=list']);
    if (!/pmi2/.test(plugins + list)) return t.pass('', { skip: 'this Slurm has no mpi/pmi2' });
    const { code, stdout, stderr } = await slurm.run(['srun', '--mpi=pmi2', '-n2', PROC_BOX, ...program('pmi.py')]);
    t.equal(code, 0, stderr);
    t.strictSame(stdout.trim().split('\n').sort(), ['rank 0 got hello1', 'rank 1 got hello0']);
  });

  t.test('--pty: the job has the terminal', async (t) => {
    const words = ['srun', '--pty', '-n1', PROC_BOX, '--nowarn', '--', 'sh', '-c', 'tty; read x; echo got $x'];
    const terminal = openTerminal(t, words, { ...slurm.env, PBOX_URI: 'none', PBOX_CONFIG: 'none' });
    await terminal.shows(/\/dev\/pts\/\d+/, 30_000);
    terminal.type('words\n');
    await terminal.shows('got words', 30_000);
    t.equal(await terminal.done, 0);
  });

  t.test("a memory limit is nested in Slurm's own", async (t) => {
    const allocate = program('allocate.py', '400');
    const inner = slurm.run(['srun', '-n1', '--mem=300', PROC_BOX, '--report', '--memory', '64M', ...allocate]);
    const outer = slurm.run(['srun', '-n1', '--mem=200', PROC_BOX, ...allocate]);
    const above = slurm.run(['srun', '-n1', '--mem=200', PROC_BOX, '--memory', '1G', ...allocate]);
    const where = slurm.run(['srun', '-n1', '--mem=200', PROC_BOX, '--memory', '64M', 'cat', '/proc/self/cgroup']);
    const bounded = await inner;
    t.equal(bounded.code, 137);
    t.match(bounded.stderr, /ended +oom: SIGKILL/);
    t.notMatch(bounded.stderr, 'slurmstepd: error: Detected', "Slurm's limit was not reached");
    t.match((await outer).stderr, /oom|Out Of Memory/i, "Slurm's limit holds the whole step");
    const refused = await above;
    t.equal(refused.code, 125);
    t.match(refused.stderr, /memory 1 GiB is above the limit around this box/);
    const { memory } = groupsIn((await where).stdout);
    t.match(memory, /slurm_.*\/job_\d+\/step_0\/.*proc_box-[0-9a-f]+-\d+\.0\.0$/);
  });
});

t.test('what a step that Slurm killed at once has left', { skip: withoutSlurm() }, async (t) => {
  const slurm = await slurmCluster(t, { cgroupConf: 'ConstrainRAMSpace=yes' });
  const limited = ['srun', '-n1', PROC_BOX, '--memory', '64M', '--'];
  const killOne = async (options: ClientOptions) => {
    const killed = slurm.start([...limited, 'sleep', '1000'], options);
    await slurm.until(() => killed.stderr().includes('started in box'), 'it runs');
    const job = (await slurm.command('squeue', '-h', '-o', '%A')).trim();
    const groups = slurm.groups('proc_box-');
    await slurm.command('scancel', `${job}.0`);
    await killed.done;
    await slurm.until(async () => (await slurm.command('squeue', '-h')) === '', 'the job has ended');
    // Sometimes the guard removes the groups before Slurm kills it, too: then they are put back as it would have left them.
    for (const dir of groups) {
      mkdirSync(dir, { recursive: true });
      chownSync(dir, options.uid ?? 0, options.uid ?? 0);
    }
    return { job, groups };
  };
  const ofJob = (job: string) => slurm.groups('job_').filter((path) => path.endsWith(`/job_${job}`));

  t.test("goes with root's next box", async (t) => {
    const { job, groups } = await killOne({});
    t.not(groups.length, 0, 'there is something to tidy up');
    const old = Date.now() / 1000 - 100;
    for (const dir of slurm.groups('proc_box-')) utimesSync(dir, old, old);
    t.equal((await slurm.run([...limited, 'sleep', '3'])).code, 0);
    t.strictSame(slurm.groups('proc_box-'), []);
    t.strictSame(ofJob(job), [], "Slurm's own, which it could not remove because of ours");
  });

  t.test("a user's goes with the line for the epilog in docs/slurm.md", async (t) => {
    const { job, groups } = await killOne({ uid: NOBODY });
    if (groups.length === 0) {
      t.strictSame(ofJob(job), [], "in newer Slurm its groups belong to root: a user's box has none, and leaves none");
      return;
    }
    // Beside us run other Slurms, which have a job of this number, too.
    const ours = `/sys/fs/cgroup/*/slurm_${slurm.nodes[0]}`;
    const [, rest] = /^find \/sys\/fs\/cgroup (.*)$/m.exec(readFileSync(DOCS, 'utf8')) ?? [];
    const runs = slurm.start(['srun', '-n1', 'sleep', '1000']);
    await slurm.until(() => slurm.groups('step_0').length > 1, 'another job runs');
    await slurm.run(['sh', '-c', `find ${ours} ${rest}`], { env: { SLURM_JOB_ID: job } });
    t.strictSame(slurm.groups('proc_box-'), []);
    t.strictSame(ofJob(job), []);
    t.not(slurm.groups('step_0').length, 0, 'what runs stays');
    runs.child.kill();
    await runs.done;
  });
});

for (const proctrack of ['cgroup', 'linuxproc'] as const) {
  t.test(`eight tasks on four nodes, proctrack/${proctrack}`, { skip: withoutSlurm(proctrack) }, async (t) => {
    const [slurm, broker] = await Promise.all([slurmCluster(t, { nodes: 4, proctrack }), privateBroker(t)]);
    const { channel } = await foreignClient(t, broker.uri);

    t.test('a kill by job key hits all eight, one by target hits one', async (t) => {
      const [all, one] = await Promise.all([eightTasks(t, slurm, broker.uri), eightTasks(t, slurm, broker.uri)]);
      const identities = (await answers(channel, all.key, { command: 'ping' }, 8)).map(({ result }) => result.identity);
      t.strictSame(identities.map(({ task }) => task).sort(), ['0', '1', '2', '3', '4', '5', '6', '7']);
      t.strictSame([...new Set(identities.map(({ node }) => node))].sort(), [...slurm.nodes].sort());
      t.equal(new Set(identities.map(({ job }) => job)).size, 1);
      t.equal(new Set(identities.map(({ box }) => box)).size, 8);
      await answers(channel, one.key, { command: 'ping' }, 8);

      const words = ['where', '--uri', broker.uri, '--rkey', all.rkey, all.id];
      const { code: found, stdout: where } = await slurm.run([PROC_BOX, ...words]);
      t.equal(found, 0);
      t.match(where, new RegExp(`^job ${all.id}: RUNNING, user root, nodes `));
      t.equal(where.match(/ step 0 on t\d+n\d: pids [\d ]+$/gm)?.length, 4, where);
      t.equal(where.match(/ step 0 task \d on t\d+n\d .*: box [0-9a-f]+, running, pid \d+, user root$/gm)?.length, 8);

      const half = await slurm.run([PROC_BOX, 'where', '--uri', 'none', all.id]);
      t.equal(half.code, 0, half.stderr);
      t.match(half.stdout, new RegExp(`^job ${all.id}: RUNNING`));
      t.equal(half.stdout.match(/ step 0 on t\d+n\d: pids [\d ]+$/gm)?.length, 4, "Slurm's half needs no broker");
      t.notMatch(half.stdout, ': box ');

      await answers(channel, one.key, { command: 'kill', target: { task: '3' } }, 1);
      t.equal((await answers(channel, all.key, { command: 'kill' }, 8)).length, 8);
      const { code, stderr } = await all.client.done;
      t.equal(code, 137);
      t.equal(ended(stderr), 8);
      const left = await answers(channel, one.key, { command: 'ping' }, 7);
      t.notOk(left.some(({ result }) => result.identity.task === '3'));
      t.equal(ended(one.client.stderr()), 1);
      await answers(channel, one.key, { command: 'kill' }, 7);
      await one.client.done;
    });

    // Each takes as long whatever tracks the processes.
    const rounds = proctrack === 'cgroup' ? 25 : 2;
    t.test(`${rounds * 8} short steps leave nothing behind`, async (t) => {
      const uri = `--uri ${broker.uri} --nowarn`;
      const job = await slurm.sbatch(
        `for round in $(seq ${rounds}); do
           for step in 1 2 3 4 5 6 7 8; do srun -n1 -N1 --exact ${PROC_BOX} ${uri} -- true & done; wait
         done; echo done`,
        ['-N4', '-n32'],
      );
      const { ExitCode } = await job.ended(120_000);
      t.equal(ExitCode, '0:0');
      t.match(job.stdout(), 'done');
      t.equal(ended(job.stderr()), rounds * 8, job.stderr().slice(-2000));
      await slurm.until(() => processesWith(`SLURM_JOB_ID=${job.id}`).length === 0, 'no process is left');
      const conf = `SLURM_CONF=${slurm.env['SLURM_CONF']}`;
      t.strictSame(namesOf(processesWith(conf)), DAEMONS, 'only the daemons are left');
      t.strictSame(slurm.groups('proc_box-'), []);
      const queues = (await broker.ctl('list_queues', '--no-table-headers', 'name')).trim().split('\n');
      t.strictSame(
        queues.filter((name) => name !== '' && !name.startsWith('collect-')),
        [],
        'no queue is left',
      );
    });
  });
}

function namesOf(pids: readonly number[]): (string | undefined)[] {
  return [...new Set(pids.map((pid) => processState(pid)?.comm))].sort();
}

function ended(stderr: string): number {
  return stderr.match(/Task elapsed time/g)?.length ?? 0;
}

async function eightTasks(t: Test, slurm: Slurm, uri: string) {
  const name = unique('eight');
  const options = ['--uri', uri, '--rkey', `${name}.ctl`, '--timeout', '0'];
  const words = ['srun', '-N4', '-n8', PROC_BOX, ...options, '--', 'sleep', '1000'];
  const client = slurm.start(words);
  // squeue -s would not do: it takes -n and shows the steps of all jobs.
  const started = () => client.stderr().match(/started in box/g)?.length ?? 0;
  await slurm.until(() => started() === 8, 'eight boxes start', 60_000);
  const [, id = ''] = /job (\d+) step 0 task/.exec(client.stderr()) ?? [];
  t.teardown(() => slurm.command('scancel', id).catch(() => {}));
  return { client, id, rkey: `${name}.ctl`, key: `${name}.ctl.job.${id}` };
}

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside; the schemas are tested elsewhere
type Answer = any;

/** Sends a command until so many boxes have answered: some may not be bound yet. Each carries it out once. */
async function answers(
  channel: Parameters<typeof collect>[0],
  key: string,
  body: object,
  count: number,
): Promise<Answer[]> {
  const replies = await collect(channel, '', '');
  const messageId = unique('m');
  const boxes = new Map<string, Answer>();
  const deadline = performance.now() + 60_000;
  while (boxes.size < count) {
    if (performance.now() > deadline) throw new Error(`${boxes.size} of ${count} answers to ${JSON.stringify(body)}`);
    channel.publish('amq.topic', key, Buffer.from(JSON.stringify(body)), { replyTo: replies.queue, messageId });
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const { content } of replies.messages) {
      const answer = JSON.parse(content.toString());
      boxes.set(answer.box, answer);
    }
  }
  return [...boxes.values()];
}
