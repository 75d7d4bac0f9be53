import { type Keeper, monotonicMs, type SignalDelivery } from 'cgroup-utils-native';
import t from 'tap';
import type { Box } from '../../src/box/box.js';
import type { Requester } from '../../src/model/types.js';
import { parseSignal } from '../../src/options/signals.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { handleAdopted, handleSignals, senderOf } from '../../src/supervise/signals.js';
import { jobIdentity } from '../fixtures/light.js';

interface State {
  readonly scheduler?: 'slurm' | 'none';
  readonly reached?: boolean;
  readonly isPaused?: boolean;
  readonly state?: 'running' | 'suspended';
  readonly allStopped?: boolean;
  readonly keeperGone?: boolean;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const delivery = (name: string): SignalDelivery => ({ signal: parseSignal(name), pid: 0, uid: 0, atMs: 5 });

/** What a box and its keeper are told. */
function recorded(state: State = {}) {
  const { scheduler = 'none', reached = false, isPaused = false, allStopped = true } = state;
  const calls: string[] = [];
  const told: Requester[] = [];
  const note = (name: string) => (by?: Requester) => {
    calls.push(name);
    if (by !== undefined) told.push(by);
  };
  const box = {
    identity: jobIdentity({ scheduler }),
    state: state.state ?? 'running',
    isPaused,
    clock: { noticeGap: note('noticeGap') },
    sample: async (cause: string) => calls.push(`sample ${cause}`),
    kill: note('kill'),
    asked: (reason: string, _by: Requester, atMs: number) => calls.push(`asked ${reason} at ${atMs}`),
    stop: (reason: string, by: Requester, signal: number | null, graceMs: number) => {
      calls.push(`stop ${reason} ${signal} ${graceMs}`);
      told.push(by);
    },
    paused: note('paused'),
    unpause: note('unpause'),
  } as unknown as Box;
  const answer = async (name: string) => {
    if (state.keeperGone) throw new Error('the keeper has ended');
    calls.push(name);
    return { allStopped };
  };
  const keeper = {
    suspend: () => answer('keeper suspend'),
    resume: () => answer('keeper resume'),
    pause: (was: boolean) => answer(`keeper pause ${was}`),
    signal: (scope: string, signal: number) => answer(`keeper signal ${scope} ${signal}`),
  } as unknown as Keeper;
  const deliveries = { witnessed() {}, reachedJob: async () => reached };
  const handle = handleSignals(box, keeper, { graceMs: 300 } as BoxSpec, deliveries);
  const send = async (...names: string[]) => {
    for (const name of names) void handle(delivery(name));
    await turn();
    return calls.splice(0);
  };
  return { box, calls, told, send };
}

t.test('a signal to end stops the box, after a sample, with what the job has not got', async (t) => {
  const end = ['asked stopped at 5', 'sample signal'];
  t.strictSame(await recorded().send('TERM'), [...end, 'stop stopped 15 300']);
  t.strictSame(await recorded().send('QUIT'), [...end, 'stop stopped 3 300']);
  t.strictSame(await recorded({ reached: true }).send('TERM'), [...end, 'stop stopped null 300']);
  const slurm = recorded({ scheduler: 'slurm' });
  t.strictSame(await slurm.send('TERM'), ['asked scheduler at 5', 'sample signal', 'stop scheduler 15 300']);
  t.strictSame(await recorded({ scheduler: 'slurm' }).send('INT'), [...end, 'stop stopped 2 300']);
  t.match(slurm.told, [{ via: 'signal', signal: 'SIGTERM' }]);
});

t.test('a second SIGINT kills', async (t) => {
  const { send, told } = recorded();
  await send('INT');
  t.strictSame(await send('INT'), ['kill']);
  t.match(told[1], { via: 'signal', signal: 'SIGINT' });
});

t.test('SIGHUP takes a sample', async (t) => {
  t.strictSame(await recorded().send('HUP'), ['sample signal']);
});

t.test('SIGTSTP pauses, and tells it only where everything has stopped', async (t) => {
  t.strictSame(await recorded().send('TSTP'), ['keeper pause false', 'paused']);
  t.strictSame(await recorded({ reached: true, allStopped: false }).send('TSTP'), ['keeper pause true']);
});

t.test('SIGCONT wakes what a signal has paused, and not what a command has suspended', async (t) => {
  t.strictSame(await recorded({ isPaused: true }).send('CONT'), ['noticeGap', 'unpause']);
  t.strictSame(await recorded().send('CONT'), ['noticeGap', 'keeper resume']);
  t.strictSame(await recorded({ reached: true }).send('CONT'), ['noticeGap']);
  t.strictSame(await recorded({ state: 'suspended' }).send('CONT'), ['noticeGap']);
  t.strictSame(await recorded({ state: 'suspended', reached: true }).send('CONT'), ['noticeGap', 'keeper suspend']);
});

t.test('any other signal goes to the job that has not got it', async (t) => {
  t.strictSame(await recorded().send('USR1', 'WINCH'), ['keeper signal group 10', 'keeper signal group 28']);
  t.strictSame(await recorded({ reached: true }).send('USR1'), []);
  t.strictSame(
    await recorded({ keeperGone: true }).send('USR1', 'CONT', 'TSTP'),
    ['noticeGap'],
    'with the job its keeper has ended',
  );
});

t.test('an adopted process gets its signals without us', async (t) => {
  const { box, calls } = recorded();
  const released: Requester[] = [];
  const handle = handleAdopted(box, async (by) => void released.push(by));
  for (const name of ['TERM', 'HUP', 'CONT', 'USR1', 'TSTP']) void handle(delivery(name));
  await turn();
  t.match(released, [{ via: 'signal', signal: 'SIGTERM' }]);
  t.strictSame(calls.splice(0), ['sample signal', 'noticeGap']);
  void handleAdopted(box, null)(delivery('INT'));
  t.strictSame(calls, ['sample signal'], 'in the background nobody is released');
});

t.test('the sender is named as far as it can be seen', async (t) => {
  t.match(senderOf({ pid: process.pid, uid: 7 }), { sender: { pid: process.pid, uid: 7, name: /./ } });
  t.match(senderOf({ pid: process.pid }), { sender: { uid: process.getuid!() } });
  t.strictSame(senderOf({ pid: 0, uid: 0 }), {}, 'the kernel');
  t.strictSame(senderOf({ pid: 2 ** 22 + 1, uid: 5 }), { sender: { pid: 2 ** 22 + 1, uid: 5 } }, 'it has ended');
});

t.test('the grace period of a signal that was passed on without an agent has begun then', async (t) => {
  const { box, calls } = recorded({ reached: true });
  const handle = handleSignals(box, {} as Keeper, { graceMs: 300 } as BoxSpec, {
    witnessed() {},
    reachedJob: async () => true,
  });
  await handle({ ...delivery('TERM'), atMs: monotonicMs() - 100, reached: true });
  const left = Number(/^stop stopped null (\d+)/.exec(calls.at(-1) ?? '')?.[1]);
  t.ok(left > 0 && left <= 200, calls.join());
  await handle({ ...delivery('TERM'), atMs: monotonicMs() - 1_000, reached: true });
  t.equal(calls.at(-1), 'stop stopped null 0');
});
