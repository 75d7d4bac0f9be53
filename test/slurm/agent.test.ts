// test-timeout: 300s
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listens } from '../fixtures/adopted.js';
import { ask, collect, foreignClient, privateBroker, unique } from '../fixtures/broker.js';
import { commandLineOf, processesWith, until } from '../fixtures/processes.js';
import { type Site, site, siteAgent, USER } from '../fixtures/prolog-site.js';
import { type Client, withoutSlurm } from '../fixtures/slurm.js';

/** The prolog way with an agent: one process for the boxes of all tasks of the node. */

const env = { PBOX_URI: '', PBOX_CONFIG: '' };
/** Of the job that runs. */
const folderOf = ({ state }: Site) => join(state, readdirSync(state)[0]!);
const isNode = (pid: number) => /node/.test(commandLineOf(pid)?.[0] ?? '');

/** Starts a step that goes on until `go` is called, in an allocation or a job of its own. */
async function steps(
  t: Test,
  at: Site,
  tasks: number,
  script: string,
  allocation: Readonly<Record<string, string>> = {},
) {
  const go = join(at.slurm.work, unique('go'));
  const wait = `echo up; while [ ! -e ${go} ]; do sleep 0.05; done`;
  const words = ['srun', '--overlap', `-n${tasks}`, 'sh', '-c', `${script}; ${wait}`];
  const client: Client = at.slurm.start(words, { uid: USER, env: { ...env, ...allocation } });
  const up = () => client.stdout().match(/^up$/gm)?.length === tasks;
  await until(() => up() || client.child.exitCode !== null, `${tasks} tasks run`, 60_000);
  t.ok(up(), client.stderr());
  return { client, go: () => writeFileSync(go, '') };
}

async function allocate({ slurm }: Site): Promise<Record<string, string>> {
  const { stderr } = await slurm.run(['salloc', '-n16', '--no-shell'], { uid: USER });
  return { SLURM_JOB_ID: /job allocation (\d+)/.exec(stderr)?.[1] ?? '' };
}

for (const proctrack of ['cgroup', 'linuxproc'] as const) {
  t.test(`proctrack/${proctrack}`, { skip: withoutSlurm(proctrack) }, async (t) => {
    const broker = await privateBroker(t);
    const key = unique('prolog');
    const keys = [`rkey=${key}`, `skey=${key}.stats`, `ekey=${key}.events`];
    const limits = ['pids=50', 'rlimit=nofile=321:321', 'sint=0'];
    const at = await site(t, proctrack, [...keys, 'config=none', ...limits], {}, { agent: true });
    let agent = await siteAgent(t, at.socket, ['--uri', broker.uri]);
    const { channel } = await foreignClient(t, broker.uri);
    const events = await collect(channel, 'amq.topic', `${key}.events.#`);
    const samples = await collect(channel, 'amq.topic', `${key}.stats.#`);
    const told = (name: string) =>
      events.messages.map(({ content }) => JSON.parse(content.toString())).filter(({ event }) => event === name);

    await t.test('8 tasks without a Node in the step; commands reach the right one, and all', async (t) => {
      const { client } = await steps(t, at, 8, 'trap "exit 5" QUIT; ulimit -n; grep pids: /proc/self/cgroup');
      t.equal(client.stdout().match(/^321$/gm)?.length, 8);
      t.equal(client.stdout().match(/proc_box-/g)?.length, 8);
      await until(() => told('started').length === 8, 'each is told');
      const job = told('started')[0].identity.job;
      t.strictSame(processesWith(`SLURM_JOB_ID=${job}`).filter(isNode), [], 'there is no Node in the step');
      const to = { exchange: 'amq.topic', key: `${key}.job.${job}` };
      for (let task = 0; task < 8; task++) await listens(channel, to, { task: String(task) });
      const { body } = await ask(channel, to, { command: 'stop', target: { task: '3' } });
      t.match(body, { ok: true });
      await until(() => told('exited').length === 1, 'one has ended');
      t.match(told('exited')[0], { reason: 'stopped', identity: { task: '3' } });
      channel.publish(to.exchange, to.key, Buffer.from('{"command": "stop"}'));
      t.equal((await client.done).code, 5);
      await until(() => told('exited').length === 8, 'all have ended, and told it');
      await at.clean();
    });

    await t.test('50 short steps: each tells its end, and nothing is left', async (t) => {
      const allocation = await allocate(at);
      const before = told('exited').length;
      const sampled = samples.messages.length;
      for (let step = 0; step < 50; step++) {
        const words = ['srun', '--overlap', '-n1', 'sh', '-c', 'exit 3'];
        const { code, stderr } = await at.slurm.run(words, { uid: USER, env: { ...env, ...allocation } });
        t.equal(code, 3, stderr);
      }
      await until(() => told('exited').length === before + 50, 'every end is told', 60_000);
      await until(() => samples.messages.length >= sampled + 100, 'and a first and a last sample of each', 60_000);
      const ends = told('exited').slice(before);
      t.strictSame(
        ends.filter(({ code, exit_status: status }) => code !== 3 && status !== 123),
        [],
      );
      t.strictSame(
        readdirSync(join(folderOf(at), 'own')).filter((name) => !name.endsWith('.log')),
        [],
        'no keeper is left',
      );
      await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
      await at.clean();
    });

    await t.test('the agent is killed: the tasks go on within their limits, and the next agent goes on', async (t) => {
      const allocation = await allocate(at);
      const ends = () => told('exited').filter(({ identity }) => identity.job === allocation['SLURM_JOB_ID']);
      const running = await steps(t, at, 2, 'ulimit -n', allocation);
      agent.kill('SIGKILL');
      await until(() => agent.signalCode !== null, 'it is dead');
      agent = await siteAgent(t, at.socket, ['--uri', broker.uri]);
      const next = await steps(t, at, 2, 'ulimit -n', allocation);
      t.equal(next.client.stdout().match(/^321$/gm)?.length, 2);
      running.go();
      next.go();
      t.equal((await running.client.done).code, 0);
      t.equal((await next.client.done).code, 0);
      await until(() => ends().length >= 4, 'their ends are told');
      await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
      await at.clean();
      t.equal(new Set(ends().map(({ identity }) => identity.box)).size, 4, 'each once');
      t.equal(ends().length, 4);
    });

    await t.test('no agent: the task runs without a box, and the policy may allow a Node instead', async (t) => {
      agent.kill('SIGTERM');
      await until(() => agent.exitCode !== null || agent.signalCode !== null, 'it has ended');
      const words = ['srun', '-n1', 'sh', '-c', 'ulimit -n'];
      const unboxed = await at.slurm.run(words, { uid: USER, env });
      t.equal(unboxed.code, 0);
      t.notMatch(unboxed.stdout, /^321$/m);
      const before = readFileSync(at.policy, 'utf8');
      writeFileSync(
        at.policy,
        before.replace(/^agent=.*/m, 'agent=none').replace(/^options='/m, "options='--uri none "),
      );
      const own = await at.slurm.run(words, { uid: USER, env });
      t.match(own, { code: 0, stdout: /^321$/m });
      writeFileSync(at.policy, before);
      await at.clean();
    });

    await t.test('what the user puts into his folder holds up nobody, and is not read by root', async (t) => {
      const secret = join(at.slurm.dir, 'secret');
      writeFileSync(secret, 'secret', { mode: 0o600 });
      const own = `$(ls -d ${at.state}/*/own)`;
      const script = `cd ${own} && mkfifo 9.0 a.failed && ln -s ${secret} b.failed && ln -s ${secret}.new 8.0`;
      const { code, stderr } = await at.slurm.run(['srun', '-n1', 'sh', '-c', script], { uid: USER, env });
      t.equal(code, 0, stderr);
      await at.clean();
      t.notOk(existsSync(`${secret}.new`));
    });
  });
}

t.test('groups among those of Slurm, killed at once', { skip: withoutSlurm() }, async (t) => {
  const at = await site(t, 'cgroup', ['config=none'], { cgroupConf: 'ConstrainRAMSpace=yes' }, { agent: true });
  await siteAgent(t, at.socket, ['--uri', 'none']);
  const allocation = await allocate(at);
  for (let step = 0; step < 5; step++) {
    await steps(t, at, 2, '(sleep 600 &)', allocation);
    await at.slurm.command('scancel', `${allocation['SLURM_JOB_ID']}.${step}`);
    await at.slurm.until(
      async () => (await at.slurm.command('squeue', '-h', '-s')).trim() === '',
      'the step has ended',
    );
  }
  await at.slurm.until(() => at.slurm.groups('step_').length === 0, 'Slurm could take its groups away');
  await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
  await at.clean();
});
