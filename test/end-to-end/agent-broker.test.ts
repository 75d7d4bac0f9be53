import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { collect, foreignClient, sharedBroker, unique, until } from '../fixtures/broker.js';
import { type RunningAgent, startAgent } from '../fixtures/own-agent.js';
import { temporaryFolder } from '../fixtures/run.js';
import { tcpProxy } from '../fixtures/tcp-proxy.js';

/** Boxes of an agent whose broker or disk fails: they end as ever and do not wait, and what is lost is counted. */

const uri = await sharedBroker(t);
const { channel } = await foreignClient(t, uri);

async function endsAtOnce(t: Test, agent: RunningAgent, name: string, code: number): Promise<void> {
  const box = agent.box(['sh', '-c', `echo out; exit ${code}`], {
    env: { PBOX_SKEY: `${name}.stats`, PBOX_EKEY: `${name}.events` },
  });
  const { code: was, stdout, elapsedMs, stderr } = await box.done;
  t.strictSame([was, stdout], [code, 'out\n'], stderr);
  t.ok(elapsedMs < 1_500, `${elapsedMs} ms`);
}

t.test('a broker that is away: boxes end at once, and their messages come when it is back', async (t) => {
  const proxy = await tcpProxy(t, Number(new URL(uri).port));
  const name = unique('away');
  const events = await collect(channel, 'amq.topic', `${name}.#`);
  const agent = await startAgent(t, { words: ['--uri', proxy.uriOf(uri)] });
  await proxy.down();
  for (const code of [0, 5, 77]) await endsAtOnce(t, agent, name, code);
  await proxy.up();
  const ends = () =>
    events.messages.map(({ content }) => JSON.parse(content.toString())).filter(({ event }) => event === 'exited');
  await until(() => ends().length === 3, 'the ends of all boxes');
  t.strictSame(
    ends()
      .map(({ exit_status }) => exit_status)
      .sort(),
    [0, 5, 77],
  );
  t.ok(ends().every(({ dropped }) => dropped === 0));
});

const mountPoint = join(temporaryFolder(t), 'disk');
mkdirSync(mountPoint);
const mounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'proc_box-test', mountPoint]).status === 0;
t.teardown(() => mounted && execFileSync('umount', ['-l', mountPoint]));

t.test(
  'a full disk below the spool, and a broker that is away: losses are counted',
  { skip: !mounted && 'needs the privilege to mount a tmpfs' },
  async (t) => {
    try {
      writeFileSync(join(mountPoint, 'full'), Buffer.alloc(128 * 1024));
    } catch {
      // The disk is full now.
    }
    const proxy = await tcpProxy(t, Number(new URL(uri).port));
    await proxy.down();
    const spool = ['--spool-dir', mountPoint, '--outbox-messages', '4', '--flush', '300ms'];
    const agent = await startAgent(t, { words: ['--uri', proxy.uriOf(uri), ...spool] });
    const name = unique('full');
    for (const code of [3, 4, 6, 7, 8, 9]) await endsAtOnce(t, agent, name, code);
    await until(() => /ENOSPC: no space left on device/.test(agent.log()), 'the log names the disk');
    agent.child.kill('SIGTERM');
    t.equal(await agent.ended, 0);
    t.match(agent.log(), /spool: \d+ messages are lost: the disk did not take them/);
  },
);

t.test('a box whose keeper stands still keeps its agent, and its commands wait', async (t) => {
  const name = unique('behind');
  const agent = await startAgent(t, { words: ['--uri', uri] });
  const box = agent.box(['sleep', '1000'], { env: { PBOX_RKEY: name } });
  await until(() => box.stderr().includes('started in box'), 'the job runs');
  const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
  const ids: string[] = [];
  await channel.consume(replyTo, (answer) => ids.push(String(answer?.properties.correlationId)), { noAck: true });
  const ask = (command: string, id: string) =>
    channel.publish('amq.topic', name, Buffer.from(JSON.stringify({ command })), {
      ...{ messageId: `${id}${'-'.repeat(200)}`, correlationId: id, replyTo, mandatory: true },
    });
  await until(async () => {
    ask('ping', 'bound');
    await until(() => ids.length > 0, 'an answer', 200).catch(() => {});
    return ids.includes('bound');
  }, 'the box is bound');
  const keeper = box.keeperPid();
  process.kill(keeper, 'SIGSTOP');
  for (let n = 0; n < 150; n++) ask(n % 2 === 0 ? 'timer_stop' : 'timer_resume', `command ${n}`);
  ask('ping', 'asks only');
  await until(() => ids.some((id) => id.startsWith('command')), 'the first answers');
  process.kill(keeper, 'SIGCONT');
  await until(() => new Set(ids.filter((id) => id.startsWith('command'))).size === 150, 'every command is answered');
  t.notMatch(agent.log(), 'does not read');
  await box.end();
});
