import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bare, isAlive } from '../fixtures/adopted.js';
import { boxIdOf, groupsOf } from '../fixtures/cgroups.js';
import { commandLineOf, processesWith, processState, until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, run, start, temporaryFolder } from '../fixtures/run.js';

/** `proc_box adopt` whose box is an agent's. test/cli/adopt.test.ts and test/kernel/adopt.test.ts run through an agent, too. */

/** An agent of our own that can be killed and followed by another. */
function agentOf(t: Test) {
  const folder = join(temporaryFolder(t), 'agent');
  mkdirSync(folder, { mode: 0o700 });
  const socket = join(folder, 'socket');
  const begin = async () => {
    rmSync(socket, { force: true });
    const words = ['agent', '--user', '--socket', socket, '--uri', 'none', '--config', 'none'];
    const child = spawn(PROC_BOX, words, { stdio: 'ignore', env: plainEnvironment() });
    t.teardown(() => child.kill('SIGKILL'));
    await until(() => existsSync(socket), 'it listens');
    return {
      async kill() {
        child.kill('SIGKILL');
        await until(() => child.signalCode !== null, 'it is dead');
      },
    };
  };
  const list = () => {
    const text = execFileSync(PROC_BOX, ['list', '--json', '--agent', socket], { env: plainEnvironment() });
    return JSON.parse(text.toString()) as { pid: number; box: string; limit_ms: number | null }[];
  };
  return { socket, begin, list, words: ['--agent', socket, '--config', 'none'] };
}

async function sleeper(t: Test, script = 'exec sleep 600') {
  const process = bare(t, `echo up; ${script}`);
  await process.says('up');
  return process;
}

const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

t.test('a detached box: no Node, the files of its caller, and a row of the list', async (t) => {
  const agent = agentOf(t);
  await agent.begin();
  const process = await sleeper(t);
  const folder = temporaryFolder(t);
  const [log, pidFile] = [join(folder, 'log'), join(folder, 'pid')];
  const words = ['adopt', '--pid', `${process.pid}`, '--detach', ...agent.words, '--rlimit', 'nofile=64:65'];
  const mark = { ADOPT_MARK: folder };
  const files = ['--log-file', log, '--pid-file', pidFile];
  const { code, stdout, stderr } = await run(t, [...words, ...files], { bare: true, env: mark });
  t.strictSame([code, stdout, stderr], [0, '', '']);
  t.match(readFileSync(`/proc/${process.pid}/limits`, 'utf8'), /Max open files +64 +65 /, 'before it returns');
  const keeper = Number(readFileSync(pidFile, 'utf8'));
  const ours = processesWith(`ADOPT_MARK=${folder}`).map((pid) => commandLineOf(pid)?.[0]);
  t.strictSame(ours, ['proc_box-keeper']);
  t.equal(processState(keeper)?.session, keeper, 'the keeper has left the session');
  t.match(agent.list(), [{ pid: process.pid }]);
  process.child.kill('SIGKILL');
  await until(() => !existsSync(pidFile), 'the keeper takes its file away');
  t.match(readFileSync(log, 'utf8'), /started in box[\s\S]*the job died of SIGKILL[\s\S]*Task elapsed/);
});

t.test('warnings of a detached box without a log reach the caller', async (t) => {
  const agent = agentOf(t);
  await agent.begin();
  const process = await sleeper(t);
  const words = ['adopt', '--pid', `${process.pid}`, '--detach', ...agent.words, '--stdoutlimit', '1M'];
  const { code, stderr } = await run(t, words, { bare: true });
  t.equal(code, 0);
  t.match(stderr, /warn: --stdoutlimit has no effect/);
});

t.test('the next agent goes on with the box, which has kept its name and its time', async (t) => {
  const agent = agentOf(t);
  const first = await agent.begin();
  const process = await sleeper(t);
  const log = join(temporaryFolder(t), 'log');
  const limits = ['--timeout', '3s', '--stop-signal', 'KILL', '--pids', '50'];
  const words = ['adopt', '--pid', `${process.pid}`, '--detach', ...agent.words, ...limits, '--log-file', log];
  t.equal((await run(t, words, { bare: true })).code, 0);
  const [before] = agent.list();
  await first.kill();
  await agent.begin();
  await until(() => agent.list().length === 1, 'the keeper has found it');
  t.match(agent.list(), [{ box: before!.box, pid: process.pid, limit_ms: 3000 }]);
  t.match(await process.ended, { signal: 'SIGKILL' });
  await until(() => text(log).includes('Task elapsed'), 'the end is told');
  t.match(text(log), /time limit of 3 s \(--timeout\) reached/);
  t.notMatch(text(log), /no longer be held/, 'its groups are known');
  await until(() => groupsOf(boxIdOf(text(log))).length === 0, 'and go');
});

t.test('without an agent the time limit holds, the rest ends, and the next agent learns it', async (t) => {
  const agent = agentOf(t);
  const first = await agent.begin();
  const process = await sleeper(t, '(trap "" TERM; echo rest; while :; do sleep 600; done) & exec sleep 600');
  const log = join(temporaryFolder(t), 'log');
  const times = ['--timeout', '1s', '--grace', '300ms', '--flush', '20s'];
  const words = ['adopt', '--pid', `${process.pid}`, '--detach', ...agent.words, ...times, '--log-file', log];
  t.equal((await run(t, words, { bare: true })).code, 0);
  await until(() => text(log).includes('started'), 'it is supervised');
  await first.kill();
  t.match(await process.ended, { signal: 'SIGTERM' });
  await until(() => process.members().length === 0, 'the rest has ended as well');
  await agent.begin();
  await until(() => text(log).includes('Task elapsed'), 'the end is told');
  t.match(text(log), /time limit of 1 s \(--timeout\) reached/);
});

t.test('in the foreground: the status is known without an agent, and TERM lets the process go', async (t) => {
  const agent = agentOf(t);
  const first = await agent.begin();
  const folder = temporaryFolder(t);
  const ends = await sleeper(t, `mkfifo ${folder}/fifo; read line < ${folder}/fifo; exit 7`);
  const stays = await sleeper(t);
  const adopted = (pid: number) =>
    start(t, ['adopt', '--pid', `${pid}`, ...agent.words, '--flush', '0'], { bare: true });
  const [one, two] = [adopted(ends.pid), adopted(stays.pid)];
  for (const { stderr } of [one, two]) await until(() => stderr().includes('started in box'), 'it is adopted');
  await first.kill();
  await bare(t, `echo > ${folder}/fifo`).ended;
  const { code, stderr } = await one.done;
  t.equal(code, 7, stderr);
  two.kill('SIGTERM');
  t.equal((await two.done).code, 0);
  t.ok(isAlive(stays.pid));
});

t.test('the keeper is killed: the process goes on alone', async (t) => {
  const agent = agentOf(t);
  await agent.begin();
  const process = await sleeper(t);
  // Nobody would be left to remove groups.
  const words = ['adopt', '--pid', `${process.pid}`, ...agent.words, '--cgroup', 'off'];
  const running = start(t, words, { bare: true });
  await until(() => running.stderr().includes('started in box'), 'it is adopted');
  globalThis.process.kill(running.keeperPid(), 'SIGKILL');
  const { code, stderr } = await running.done;
  t.equal(code, 125);
  t.match(stderr, /the keeper has died; the process goes on alone/);
  t.ok(isAlive(process.pid));
  await until(() => agent.list().length === 0, 'the agent has noticed');
});

t.test('an agent that is not there: refused, and with auto a Node', async (t) => {
  const agent = agentOf(t);
  const process = await sleeper(t);
  const refused = await run(t, ['adopt', '--pid', `${process.pid}`, '--detach', ...agent.words], { bare: true });
  t.equal(refused.code, 125);
  t.match(refused.stderr, /--agent \S+: No such file or directory/);
  const words = ['adopt', '--pid', `${process.pid}`, '--detach', '--agent', 'auto', '-uri', 'none', '--config', 'none'];
  t.equal((await run(t, words, { bare: true })).code, 0);
});

t.test('what is wrong is told by the agent', async (t) => {
  const agent = agentOf(t);
  await agent.begin();
  const process = await sleeper(t);
  for (const [pid, options, message] of [
    [1, [], /--pid 1: .* is not a job/],
    [4194304, [], /there is no such process/],
    [process.pid, ['--memory', 'much'], /--memory: /],
    [process.pid, ['--pids', '10', '--cgroup', 'off', '--enforce', 'strict'], /pids is held by sampling only/],
    [process.pid, ['--log-file', '/nowhere/log'], /--log-file \/nowhere\/log: /],
    [process.pid, ['--via', '/s'], /--via is no more: "proc_box agent --user"/],
  ] as const) {
    const words = ['adopt', '--pid', `${pid}`, '--detach', ...agent.words, ...options];
    const { code, stderr } = await run(t, words, { bare: true });
    t.equal(code, 125, stderr);
    t.match(stderr, message);
  }
  t.strictSame(agent.list(), []);
});
