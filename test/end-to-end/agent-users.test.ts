import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { agentVersion } from 'cgroup-utils-native';
import t from 'tap';
import { askAgent } from '../../src/agent/ask.js';
import type { BoxRow } from '../../src/agent/list.js';
import type { AgentStatus } from '../../src/agent/status.js';
import { delegate, withoutV1 } from '../fixtures/cgroups.js';
import { asUid, type RunningAgent, startAgent } from '../fixtures/own-agent.js';
import { until } from '../fixtures/processes.js';
import { PROC_BOX, PYTHON, plainEnvironment } from '../fixtures/run.js';

/** One agent, several users: what each sees, and what one can do to another. */

const [NOBODY, OTHER] = [65534, 65533];
const skip = process.geteuid?.() !== 0 && 'needs root';

/** As a user, in a folder that he may read. */
const as = (uid: number) => ({ through: asUid(uid), cwd: '/', env: { PBOX_URI: 'none' } });

function list(agent: RunningAgent, through: readonly string[], ...words: readonly string[]): BoxRow[] {
  const [program = '', ...args] = [...through, PROC_BOX, 'list', '--agent', agent.socket, '--json', ...words];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: plainEnvironment() });
  if (status !== 0) throw new Error(`list: ${status} ${stderr}`);
  return JSON.parse(stdout) as BoxRow[];
}

async function twoBoxes(agent: RunningAgent) {
  const boxes = [NOBODY, OTHER].map((uid) => agent.box(['sleep', '30'], as(uid)));
  await until(() => boxes.every((box) => box.stderr().includes('started in box')), 'both have started');
  return boxes;
}

t.test('each user sees his own boxes; root and the agent see all', { skip }, async (t) => {
  const agent = await startAgent(t, { forAll: true });
  const boxes = await twoBoxes(agent);
  const users = (rows: readonly BoxRow[]) => rows.map(({ user }) => user).sort();
  t.strictSame(users(list(agent, asUid(NOBODY))), ['nobody']);
  t.strictSame(users(list(agent, asUid(OTHER))), [`${OTHER}`]);
  t.strictSame(users(list(agent, asUid(65532))), []);
  t.strictSame(users(list(agent, [])), [`${OTHER}`, 'nobody'].sort());
  t.strictSame(users(list(agent, [], '--user', 'nobody')), ['nobody']);
  t.strictSame(users(list(agent, [], '--job', 'no-such-job')), []);
  t.match((await askAgent(agent.socket, 'status')) as AgentStatus, { boxes: 2, users: 2, uid: 0 });
  const text = spawnSync(PROC_BOX, ['list', '--agent', agent.socket], { encoding: 'utf8', env: plainEnvironment() });
  t.match(text.stdout, /^BOX +JOB +USER +STATE +PID +TIME +MEMORY +CPU% +COMMAND\n/);
  t.match(text.stdout, / nobody +running +\d+ +\d+s\/10m00s .* sleep$/m);
  for (const box of boxes) await box.end();
});

t.test('only root and its own user may make it hand over', { skip }, async (t) => {
  const agent = await startAgent(t, { forAll: true });
  t.match(askAs(agent, OTHER, 'takeover'), /may not end this agent/);
  t.match(askAs(agent, OTHER, 'anything'), /not a question/);
  t.equal((await agent.box(['true'], as(OTHER)).done).code, 0);
});

/** Connects again and again, keeps what it can, and sends what nobody wants. */
const ATTACK = `
import os, resource, socket, struct, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
kept, until = [], time.time() + float(sys.argv[2])
print('begun', flush=True)
while time.time() < until:
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect(sys.argv[1])
        s.send(os.urandom(64) if len(kept) % 3 else struct.pack('<IHHI', 4, 82, int(sys.argv[3]), 0) + b'list')
        kept.append(s)
    except OSError:
        pass
    if len(kept) > 2000:
        for s in kept[:1000]: s.close()
        del kept[:1000]
`;

t.test('a user who attacks the agent delays the boxes of another by little', { skip }, async (t) => {
  const agent = await startAgent(t, { forAll: true });
  const quiet = await wallTimes(agent, 20);
  const attack = spawn(asUid(OTHER)[0]!, [
    ...asUid(OTHER).slice(1),
    ...[PYTHON, '-c', ATTACK, agent.socket, '20', `${agentVersion}`],
  ]);
  t.teardown(() => attack.kill('SIGKILL'));
  await new Promise((resolve) => attack.stdout.once('data', resolve));
  const busy = await wallTimes(agent, 20);
  attack.kill('SIGKILL');
  t.comment(`median and longest of 20: ${quiet.text} in peace, ${busy.text} under attack`);
  t.ok(busy.median < 1_000);
  t.strictSame(busy.codes, []);
  await until(
    async () => ((await askAgent(agent.socket, 'status')) as AgentStatus).waiting === 0,
    'all is over',
    5_000,
  );
  t.ok(agent.log().split('\n').length < 30, `the log is short: ${agent.log()}`);
});

async function wallTimes(agent: RunningAgent, count: number) {
  const times: number[] = [];
  const codes: (number | null)[] = [];
  for (let at = 0; at < count; at++) {
    // Without the agent, a Node of its own may serve it.
    const { code, elapsedMs } = await agent.box(['true'], as(NOBODY)).done;
    times.push(elapsedMs);
    if (code !== 0) codes.push(code);
  }
  times.sort((a, b) => a - b);
  const median = times[count >> 1]!;
  return { median, codes, text: `${median.toFixed(0)} and ${times.at(-1)!.toFixed(0)} ms` };
}

t.test('tools and boxes of another pid namespace are served', { skip }, async (t) => {
  const agent = await startAgent(t, { forAll: true });
  const through = ['unshare', '--pid', '--fork', '--mount-proc'];
  if (spawnSync(through[0]!, [...through.slice(1), 'true']).status !== 0) return t.comment('no pid namespaces here');
  t.strictSame(list(agent, through), []);
  const { code, stdout } = await agent.box(['sh', '-c', 'echo in; exit 6'], { through }).done;
  t.equal(stdout, 'in\n');
  t.equal(code, 6);
});

/** Asks as another user, by a program of its own. */
const ASKS = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
text = sys.argv[3].encode()
s.send(struct.pack('<IHHI', len(text), 82, int(sys.argv[2]), 0) + text)
print(s.recv(65536)[12:].decode())
`;

function askAs(agent: RunningAgent, uid: number, question: string): string {
  const [program = '', ...args] = [...asUid(uid), PYTHON, '-c', ASKS, agent.socket, `${agentVersion}`, question];
  return spawnSync(program, args, { encoding: 'utf8', env: plainEnvironment() }).stdout;
}

t.test(
  'an agent of another user that is killed while a job starts costs no job and leaves no group',
  { skip: skip || withoutV1('pids') },
  async (t) => {
    const { dirs, through } = delegate(t, ['memory', 'pids', 'v2'], NOBODY);
    const env = { PBOX_URI: 'none', PBOX_MEMORY: '64M' };
    for (let round = 0; round < 12; round++) {
      const agent = await startAgent(t, { forAll: true });
      const boxes = upTo(4).map(() => agent.box(['sh', '-c', 'sleep 0.2; exit 3'], { through, cwd: '/', env }));
      // Half of the rounds end it with its first group, the others a little later.
      await until(() => groups(dirs).length > 0, 'a group is made');
      const later = performance.now() + (round % 2) * Math.random() * 10;
      await until(() => performance.now() >= later, 'the moment has come');
      const node = agent.nodePid();
      process.kill(node, 'SIGKILL');
      agent.child.kill('SIGKILL');
      for (const { code, stderr } of await Promise.all(boxes.map(({ done }) => done))) {
        // One that had not connected yet was told to use an agent that is not there any more.
        t.ok(code === 3 || (code === 125 && stderr.includes('Connection refused')), `${code}: ${stderr}`);
      }
      await until(() => groups(dirs).length === 0, 'no group is left');
    }
  },
);

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const groups = (dirs: Readonly<Record<string, string>>) =>
  Object.values(dirs).flatMap((dir) => readdirSync(dir).filter((name) => name.startsWith('proc_box-')));
