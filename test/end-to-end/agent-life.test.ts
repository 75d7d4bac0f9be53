// test-alone
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askAgent } from '../../src/agent/ask.js';
import type { BoxRow } from '../../src/agent/list.js';
import type { AgentStatus } from '../../src/agent/status.js';
import { asUid, type RunningAgent, sharedFolder, spawnAgent, startAgent } from '../fixtures/own-agent.js';
import { processState, until } from '../fixtures/processes.js';
import { killQuietly, PROC_BOX, PYTHON, plainEnvironment, start, temporaryFolder } from '../fixtures/run.js';

/** An agent as a service: how it starts, ends, and follows another. */

const boxesOf = async (socket: string) => (await askAgent(socket, 'list')) as BoxRow[];
const pidOf = async (socket: string) => ((await askAgent(socket, 'status')) as AgentStatus).pid;

t.test('SIGTERM: the boxes go on, and it ends with 0, whatever signals come meanwhile', async (t) => {
  const agent = await startAgent(t);
  const box = agent.box(['sh', '-c', 'sleep 1.5; echo done; exit 5']);
  await until(() => box.stderr().includes('started in box'), 'it has started');
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
    killQuietly(agent.pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.equal(await agent.ended, 0);
  await until(() => /the agent ends: SIGTERM; boxes that go on without it: 1/.test(agent.log()), 'the log says it');
  t.notMatch(agent.log(), /[Dd]ebugger/);
  const { code, stdout } = await box.done;
  t.equal(code, 5);
  t.equal(stdout, 'done\n');
});

t.test('the signals that mean nothing to it leave it as it is', async (t) => {
  const agent = await startAgent(t);
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGPIPE'] as const) {
    process.kill(agent.pid, signal);
    process.kill(agent.nodePid(), signal);
  }
  t.equal((await agent.box(['true']).done).code, 0);
});

t.test('a second agent is refused; with --takeover it takes the place of the first', async (t) => {
  const first = await startAgent(t);
  const folder = join(first.socket, '..');
  const refused = spawnAgent(t, { folder });
  t.equal(await refused.ended, 125);
  await until(() => /another agent listens there; --takeover takes its place/.test(refused.log()), 'the log says it');
  const box = first.box(['sh', '-c', 'sleep 2; echo done; exit 7']);
  await until(() => box.stderr().includes('started in box'), 'it has started');
  const second = await startAgent(t, { folder, words: ['--takeover'] });
  await until(() => /the agent with pid \d+ hands over/.test(second.log()), 'the log says it');
  t.equal(await first.ended, 0);
  await until(() => /another agent takes over; boxes that go on without it: 1/.test(first.log()), 'the log says it');
  t.equal(await pidOf(second.socket), second.nodePid());
  t.equal((await second.box(['true']).done).code, 0);
  await until(async () => (await boxesOf(second.socket)).some(({ pid }) => pid > 0), 'the next agent has the box');
  const { code, stdout } = await box.done;
  t.equal(code, 7);
  t.equal(stdout, 'done\n');
  t.notMatch(second.log(), /warn|error/);
});

t.test('--takeover where nobody listens is an ordinary start', async (t) => {
  const agent = await startAgent(t, { words: ['--takeover'] });
  t.equal((await agent.box(['true']).done).code, 0);
});

t.test(
  'while agents follow each other, every box is served or has a Node of its own, and ends as it should',
  async (t) => {
    const agents = [await startAgent(t)];
    const folder = join(agents[0]!.socket, '..');
    let over = false;
    const results: number[] = [];
    const slowest: number[] = [];
    const users = Array.from({ length: 3 }, async () => {
      while (!over) {
        const { code, elapsedMs } = await agents[0]!.box(['sh', '-c', 'exit 3'], { env: { PBOX_URI: 'none' } }).done;
        results.push(code ?? -1);
        slowest.push(elapsedMs);
      }
    });
    for (let round = 0; round < 3; round++) agents.push(await startAgent(t, { folder, words: ['--takeover'] }));
    over = true;
    await Promise.all(users);
    t.strictSame(
      results.filter((code) => code !== 3),
      [],
    );
    t.comment(`${results.length} boxes, the slowest took ${Math.round(Math.max(...slowest))} ms`);
    t.ok(Math.max(...slowest) < 3_000);
    t.strictSame(await Promise.all(agents.slice(0, -1).map(({ ended }) => ended)), [0, 0, 0]);
  },
);

t.test('the socket of an agent that was killed is replaced', async (t) => {
  const first = await startAgent(t);
  first.child.kill('SIGKILL');
  await first.ended;
  t.ok(lstatSync(first.socket).isSocket());
  const second = await startAgent(t, { folder: join(first.socket, '..') });
  t.equal((await second.box(['true']).done).code, 0);
});

t.test('of two that start at once where one was killed, one serves', async (t) => {
  const killed = await startAgent(t);
  killed.child.kill('SIGKILL');
  await killed.ended;
  const folder = join(killed.socket, '..');
  const both = [spawnAgent(t, { folder }), spawnAgent(t, { folder })];
  await until(() => both.every(({ log }) => log() !== ''), 'both have said something');
  t.equal(both.filter(({ log }) => log().includes('serves boxes')).length, 1);
  t.equal((await both[0]!.box(['true']).done).code, 0);
});

const UNSAFE: readonly {
  readonly what: string;
  readonly prepare: (folder: string) => void;
  readonly line: RegExp;
  readonly forAll?: true;
  readonly through?: readonly string[];
}[] = [
  { what: 'a file', prepare: (folder) => writeFileSync(join(folder, 'agent.sock'), 'kept'), line: /not a socket/ },
  { what: 'a folder', prepare: (folder) => mkdirSync(join(folder, 'agent.sock')), line: /not a socket/ },
  {
    what: 'a symbolic link',
    prepare: (folder) => symlinkSync('/run/elsewhere.sock', join(folder, 'agent.sock')),
    line: /not a socket/,
  },
  {
    what: 'a folder that others may write',
    prepare: (folder) => chmodSync(folder, 0o777),
    line: /others may write in its folder/,
    forAll: true,
  },
  { what: 'a folder that others may enter', prepare: (folder) => chmodSync(folder, 0o755), line: /others may write/ },
  {
    what: 'a folder of another user',
    prepare: () => {},
    line: /its folder belongs to another user|may not make a socket/,
    forAll: true,
    through: asUid(65534),
  },
];

for (const { what, prepare, line, forAll = false, through = [] } of UNSAFE) {
  t.test(`${what} in the place of its socket is refused, and left as it is`, async (t) => {
    const folder = forAll ? sharedFolder(t) : temporaryFolder(t);
    prepare(folder);
    const agent = spawnAgent(t, { folder, forAll, through });
    t.equal(await agent.ended, 125);
    t.match(agent.log(), line);
    t.equal(agent.log().trim().split('\n').length, 1, 'one line');
    const path = join(folder, 'agent.sock');
    if (what === 'a file') t.equal(readFileSync(path, 'utf8'), 'kept');
    t.notOk(existsSync(path) && lstatSync(path).isSocket());
  });
}

t.test('a folder behind a symbolic link is refused for an agent of all', async (t) => {
  const folder = sharedFolder(t);
  symlinkSync(folder, `${folder}-link`);
  const agent = spawnAgent(t, { folder: `${folder}-link`, forAll: true });
  t.equal(await agent.ended, 125);
  await until(() => /its folder is a symbolic link/.test(agent.log()), 'the log says it');
});

/** Receives what a service tells systemd: a datagram a line. */
const NOTIFIED = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('ready', flush=True)
while True:
    print(s.recv(4096).decode().replace('\\n', ' '), flush=True)
`;

for (const abstract of [false, true]) {
  t.test(`systemd hears when it is ready and when it ends${abstract ? ', on an abstract socket' : ''}`, async (t) => {
    const name = abstract ? `@proc_box-test-${process.pid}` : join(temporaryFolder(t), 'notify');
    const heard = listener(t, [PYTHON, '-c', NOTIFIED, name]);
    await until(() => heard().includes('ready'), 'it listens');
    const agent = await startAgent(t, { env: { NOTIFY_SOCKET: name } });
    await until(() => /^READY=1 STATUS=Serves 0 boxes$/m.test(heard()), `READY: ${heard()}`);
    agent.child.kill('SIGTERM');
    t.equal(await agent.ended, 0);
    await until(() => /^STOPPING=1 STATUS=/m.test(heard()), `STOPPING: ${heard()}`);
  });
}

function listener(t: Test, [program = '', ...args]: readonly string[]): () => string {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}

t.test(
  'a wrong configuration is told to systemd, and fails only after a while: its unit starts it again at once',
  async (t) => {
    const name = join(temporaryFolder(t), 'notify');
    const heard = listener(t, [PYTHON, '-c', NOTIFIED, name]);
    await until(() => heard().includes('ready'), 'it listens');
    const words = ['agent', '--config', 'none', '--uri-file', '/nonexistent/agent.uri'];
    const agent = start(t, [], { bare: true, options: words, env: { NOTIFY_SOCKET: name } });
    const told = /^STATUS=--uri-file: read \/nonexistent\/agent\.uri: ENOENT; /m;
    await until(() => told.test(heard()), `the status: ${heard()} ${agent.stderr()}`);
    await until(() => /^proc_box: error: .*agent\.uri: ENOENT/.test(agent.stderr()), 'its log says so, too');
    t.equal(agent.child.exitCode, null, 'it waits');
    agent.child.kill('SIGTERM');
    t.equal((await agent.done).signal ?? (await agent.done).code, 'SIGTERM', 'but not longer than it is told to');
  },
);

t.test('a NOTIFY_SOCKET that is not there does not stop it', async (t) => {
  const agent = await startAgent(t, { env: { NOTIFY_SOCKET: '/nonexistent/notify' } });
  t.equal((await agent.box(['true']).done).code, 0);
  await until(() => /tell systemd "READY=1": .*ENOENT/.test(agent.log()), 'the log says it');
});

/** Listens, and becomes the agent with the socket as descriptor 3, as systemd does. */
const ACTIVATES = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(64)
if s.fileno() != 3: os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ['LISTEN_FDS'] = '1'
os.environ['LISTEN_PID'] = str(os.getpid() + int(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
`;

t.test('systemd listens for it: connections wait for the agent, and it needs no right to make a socket', async (t) => {
  const folder = sharedFolder(t);
  const socket = join(folder, 'agent.sock');
  const agent = await startAgent(t, { folder, through: [PYTHON, '-c', ACTIVATES, socket, '0'] });
  t.equal((await agent.box(['sh', '-c', 'exit 4']).done).code, 4);
  t.equal(await pidOf(socket), agent.nodePid());
  agent.child.kill('SIGTERM');
  t.equal(await agent.ended, 0);
});

t.test('sockets that are meant for another process are not taken', async (t) => {
  const folder = temporaryFolder(t);
  const agent = await startAgent(t, { folder, through: [PYTHON, '-c', ACTIVATES, join(folder, 'other.sock'), '1'] });
  t.equal(await pidOf(join(folder, 'agent.sock')), agent.nodePid());
});

t.test('neither the job nor its box hears of the systemd of its caller', async (t) => {
  const agent: RunningAgent = await startAgent(t);
  const env = { NOTIFY_SOCKET: '/nonexistent/notify', LISTEN_FDS: '1', LISTEN_PID: '1' };
  const { stdout, stderr } = await agent.box(['sh', '-c', 'echo $NOTIFY_SOCKET $LISTEN_FDS'], { env }).done;
  t.equal(stdout, '/nonexistent/notify 1\n', 'they belong to the job');
  t.notMatch(stderr, /systemd/);
});

t.test('where no agent listens, a box has a Node of its own, whatever is at the place of the socket', async (t) => {
  const folder = temporaryFolder(t);
  const run = () => {
    const words = ['--config', 'none', '--', 'sh', '-c', 'exit 7'];
    const env = { ...plainEnvironment(), XDG_RUNTIME_DIR: folder };
    const { status, stderr } = spawnSync(PROC_BOX, words, { env, encoding: 'utf8' });
    t.equal(status, 7, stderr);
  };
  run();
  mkdirSync(join(folder, 'proc_box'), { mode: 0o700 });
  run();
  const socket = join(folder, 'proc_box', 'agent.sock');
  const listens = 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()';
  t.equal(spawnSync(PYTHON, ['-c', listens, socket]).status, 0);
  run();
});

t.test('a signal that an agent has received and not acted on reaches the job once', async (t) => {
  const agent = await startAgent(t);
  const folder = join(agent.socket, '..');
  const script = "n=0; trap 'n=$((n + 1)); echo got $n' TERM; echo up; while [ ! -e go ]; do sleep 0.05; done; exit $n";
  const box = agent.box(['sh', '-c', script], { cwd: folder, env: { PBOX_GRACE: '1m', PBOX_LINGER: 'true' } });
  await box.says('up');
  const node = agent.nodePid();
  process.kill(node, 'SIGSTOP');
  await until(() => processState(node)?.state === 'T', 'it is stopped');
  box.kill('SIGTERM');
  process.kill(node, 'SIGKILL');
  await agent.ended;
  await box.says('got 1');
  const next = await startAgent(t, { folder });
  await until(async () => (await boxesOf(next.socket)).length === 1, 'the next agent has the box');
  const rows = () => boxesOf(next.socket);
  t.match(
    await until(async () => (await rows()).find(({ state }) => state !== 'running'), 'it knows that the box is ending'),
    {
      state: 'stopping',
    },
  );
  writeFileSync(join(folder, 'go'), '');
  const { stdout } = await box.done;
  t.equal(stdout, 'up\ngot 1\n');
});
