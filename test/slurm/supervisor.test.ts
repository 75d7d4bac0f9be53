// test-timeout: 300s
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listens } from '../fixtures/adopted.js';
import { ask, collect, foreignClient, privateBroker, unique } from '../fixtures/broker.js';
import { groupsOfProcess } from '../fixtures/cgroups.js';
import { commandLineOf, environmentOf, isAlive, processesWith, until } from '../fixtures/processes.js';
import { type Site, site, USER } from '../fixtures/prolog-site.js';
import { type Client, withoutSlurm } from '../fixtures/slurm.js';
import { keepersOf, nodeOf, talk } from '../fixtures/supervisor.js';

/** The prolog's supervisor: one process for the boxes of all tasks of a job on a node. */

const env = { PBOX_URI: '', PBOX_CONFIG: '' };
/** Of the job that runs. */
const folderOf = ({ state }: Site) => join(state, readdirSync(state)[0]!);
const supervisorOf = (at: Site) => Number(readFileSync(join(folderOf(at), 'supervisor'), 'utf8').split(' ')[0]);
const nodesIn = (mark: string) => processesWith(mark).filter((pid) => commandLineOf(pid)?.includes('adopt'));

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

t.test('many tasks', { skip: withoutSlurm() }, async (t) => {
  const broker = await privateBroker(t);
  const key = unique('prolog');
  const keys = [`rkey=${key}`, `skey=${key}.stats`, `ekey=${key}.events`];
  const limits = ['pids=50', 'rlimit=nofile=321:321', 'sint=0'];
  const at = await site(t, 'cgroup', [`uri=${broker.uri}`, ...keys, 'config=none', ...limits]);
  const { channel } = await foreignClient(t, broker.uri);
  const events = await collect(channel, 'amq.topic', `${key}.events.#`);
  const told = (name: string) =>
    events.messages.map(({ content }) => JSON.parse(content.toString())).filter(({ event }) => event === name);

  await t.test('one process supervises 8 tasks; commands reach the right one, and all', async (t) => {
    const { client } = await steps(t, at, 8, 'trap "exit 5" QUIT; ulimit -n');
    const supervisor = supervisorOf(at);
    t.equal(client.stdout().match(/^321$/gm)?.length, 8);
    t.equal(keepersOf(supervisor).length, 8, 'a keeper for each');
    await until(() => told('started').length === 8, 'each is told');
    const job = told('started')[0].identity.job;
    t.strictSame(nodesIn(`SLURM_JOB_ID=${job}`), [], 'there is no Node in the step');
    for (const pid of [supervisor, nodeOf(supervisor)])
      t.match(environmentOf(pid)?.sort().join(' '), /^HOME=\S+ PATH=\S+ PROC_BOX_JOB=\S+ SLURM_CONF=\S+$/);
    t.match(readFileSync(`/proc/${supervisor}/status`, 'utf8'), new RegExp(`^Uid:\\s+${USER}`, 'm'));
    for (const pid of [supervisor, nodeOf(supervisor), ...keepersOf(supervisor)])
      t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^CapPrm:\s+0*400$/m, 'who lacks it cannot trace it');
    t.notMatch(Object.values(groupsOfProcess(supervisor)).join(' '), `job_${job}`, 'it is outside of the job');

    const to = { exchange: 'amq.topic', key: `${key}.job.${job}` };
    for (let task = 0; task < 8; task++) await listens(channel, to, { task: String(task) });
    const { body } = await ask(channel, to, { command: 'stop', target: { task: '3' } });
    t.match(body, { ok: true });
    await until(() => told('exited').length === 1, 'one has ended');
    t.match(told('exited')[0], { reason: 'stopped', identity: { task: '3' } });
    channel.publish(to.exchange, to.key, Buffer.from('{"command": "stop"}'));
    t.equal((await client.done).code, 5);
    await until(() => told('exited').length === 8, 'all have ended, and told it');
    t.strictSame(
      told('exited')
        .map(({ identity }) => identity.task)
        .sort(),
      ['0', '1', '2', '3', '4', '5', '6', '7'],
    );
    await at.clean();
    t.notOk(isAlive(supervisor));
  });

  await t.test('50 short steps leave nothing behind', async (t) => {
    const allocation = await allocate(at);
    const before = told('exited').length;
    for (let step = 0; step < 50; step++) {
      const { code, stderr } = await at.slurm.run(['srun', '--overlap', '-n1', 'true'], {
        uid: USER,
        env: { ...env, ...allocation },
      });
      t.equal(code, 0, stderr);
    }
    const supervisor = supervisorOf(at);
    await until(() => told('exited').length === before + 50, 'every end is told', 60_000);
    await until(() => keepersOf(supervisor).length === 0, 'no keeper is left');
    t.ok(readdirSync(`/proc/${nodeOf(supervisor)}/fd`).length < 40, 'nor a descriptor');
    const own = readdirSync(join(folderOf(at), 'own')).filter((name) => !name.endsWith('.log'));
    t.strictSame(own, ['socket']);
    await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
    await at.clean();
    t.notOk(isAlive(supervisor));
    const queues = (await broker.ctl('list_queues', '--no-table-headers', 'name')).trim().split('\n');
    t.strictSame(
      queues.filter((name) => name.startsWith('proc_box.ctl')),
      [],
    );
  });

  await t.test('it is killed: its boxes go on within their limits, and the next step has one of its own', async (t) => {
    const allocation = await allocate(at);
    const count = told('exited').length;
    const running = await steps(t, at, 2, 'ulimit -n', allocation);
    const supervisor = supervisorOf(at);
    const folder = folderOf(at);
    process.kill(supervisor, 'SIGKILL');
    await until(() => !isAlive(supervisor), 'it is dead');
    const next = await steps(t, at, 2, 'ulimit -n; grep pids: /proc/self/cgroup', allocation);
    t.equal(next.client.stdout().match(/^321$/gm)?.length, 2);
    t.equal(next.client.stdout().match(/proc_box-/g)?.length, 2);
    const own = readdirSync(join(folder, 'own')).filter((name) => /^\d+\.\d$/.test(name));
    t.equal(own.length, 2, 'boxes of the step, with a pid file each');
    running.go();
    next.go();
    t.equal((await running.client.done).code, 0);
    t.equal((await next.client.done).code, 0);
    await until(() => told('exited').length === count + 2, 'their ends are told before Slurm kills them');
    await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
    await at.clean();
  });

  await t.test('without a socket, and with clients that say nothing', async (t) => {
    const allocation = await allocate(at);
    const first = await steps(t, at, 1, 'true', allocation);
    const socket = join(folderOf(at), 'own', 'socket');
    for (let client = 0; client < 20; client++) talk(t, socket);
    const garbage = talk(t, socket);
    garbage.client.write(Buffer.alloc(100, 0xff));
    t.equal((await garbage.answer)[0], 125);
    const second = await steps(t, at, 4, 'ulimit -n', allocation);
    t.equal(second.client.stdout().match(/^321$/gm)?.length, 4);
    t.equal(keepersOf(supervisorOf(at)).length, 5);
    rmSync(socket);
    const third = await steps(t, at, 1, 'ulimit -n', allocation);
    t.match(third.client.stdout(), /^321$/m);
    t.equal(keepersOf(supervisorOf(at)).length, 5, 'a box of its own');
    for (const { client, go } of [first, second, third]) {
      go();
      t.equal((await client.done).code, 0);
    }
    await at.slurm.command('scancel', allocation['SLURM_JOB_ID']!);
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

t.test('groups among those of Slurm, killed at once', { skip: withoutSlurm() }, async (t) => {
  const at = await site(t, 'cgroup', ['uri=none', 'config=none'], { cgroupConf: 'ConstrainRAMSpace=yes' });
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
