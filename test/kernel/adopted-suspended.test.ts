// test-waits
// test-timeout: 90s
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Keeper, type KeeperEvent, Listener, listenUnix } from 'cgroup-utils-native';
import t from 'tap';
import { bare } from '../fixtures/adopted.js';
import { until } from '../fixtures/processes.js';
import { run, temporaryFolder } from '../fixtures/run.js';

/** An adopted process that its agent has suspended, and then no agent for half a minute. This test is the agent. */

t.test('it is resumed after 30 s, and suspended again by the next agent', async (t) => {
  const folder = join(temporaryFolder(t), 'a');
  mkdirSync(folder, { mode: 0o700 });
  const socket = join(folder, 's');
  const process = bare(t, 'echo up; while :; do sleep 0.1; done');
  await process.says('up');
  const events: KeeperEvent[] = [];
  let keeper: Keeper | undefined;
  const onEvent = (own: Keeper, event: KeeperEvent) => {
    events.push(event);
    if (event.type === 'process' && keeper === undefined) {
      keeper = own;
      own.welcome();
      own.adopt({ awaitExec: false, cgroup: { freezer: null, killFile: null, procsFile: null }, stdoutMaxBytes: 0 });
      own.toFront({ type: 'boxed' });
      own.keep(Buffer.from('kept'));
    }
    if (event.type === 'resumed') keeper = own;
  };
  const serve = () => {
    const onPeer = ({ fd }: { fd: number }) => {
      const own: Keeper = new Keeper(fd, (event) => onEvent(own, event), true);
    };
    return new Listener(listenUnix(socket, false, false), onPeer, () => {});
  };
  const first = serve();
  t.equal((await run(t, ['adopt', '--pid', `${process.pid}`, '--detach', '--agent', socket], { bare: true })).code, 0);
  const state = () => readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]![0];
  await keeper!.suspend();
  t.equal(state(), 'T');
  first.close();
  rmSync(socket, { force: true });
  keeper!.close();
  const lost = Date.now();
  await until(() => state() !== 'T', 'it goes on', 40_000);
  t.ok(Date.now() - lost > 29_000, 'an agent that is restarted finds it suspended');
  const second = serve();
  const resumed = await until(() => events.find(({ type }) => type === 'resumed'), 'the keeper has found the next');
  t.match(resumed, { pid: process.pid, kept: Buffer.from('kept') });
  await until(() => state() === 'T', 'suspended again');
  await keeper!.kill();
  await until(() => events.some(({ type }) => type === 'empty'), 'nothing is left');
  keeper!.toFront({ type: 'outcome', first: 0, second: 0 });
  keeper!.close();
  second.close();
});
