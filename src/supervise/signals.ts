import { type Keeper, monotonicMs, readText, type SignalDelivery } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import type { Requester } from '../model/types.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec } from '../options/spec.js';
import type { Deliveries } from './deliveries.js';

/**
 * Handles signals to the wrapper as docs/exit-status.md, "Signals to proc_box", describes.
 * @returns what handles one; it resolves when the job has the signal, and never rejects
 */
export function handleSignals(
  box: Box,
  keeper: Keeper,
  spec: BoxSpec,
  deliveries: Deliveries,
): (delivery: SignalDelivery) => Promise<void> {
  let interrupts = 0;

  const end = async (delivery: SignalDelivery) => {
    const name = `SIG${signalName(delivery.signal)}`;
    const by = { via: 'signal', signal: name, ...senderOf(delivery) } as const;
    if (name === 'SIGINT' && ++interrupts > 1) return box.kill(by);
    // Inside a scheduler's job, a TERM counts as the scheduler's.
    const reason = name === 'SIGTERM' && box.identity.scheduler !== 'none' ? 'scheduler' : 'stopped';
    // Recorded first, because the job may die of the same signal while we look.
    box.asked(reason, by, delivery.atMs);
    const [reached] = await Promise.all([deliveries.reachedJob(delivery), box.sample('signal')]);
    // Without an agent the grace period has begun when the front end passed the signal on.
    const passedMs = delivery.reached ? monotonicMs() - delivery.atMs : 0;
    return box.stop(reason, by, reached ? null : delivery.signal, Math.max(0, spec.graceMs - passedMs));
  };

  const wake = async (delivery: SignalDelivery) => {
    box.clock.noticeGap();
    const reached = await deliveries.reachedJob(delivery);
    if (box.isPaused) return box.unpause({ via: 'signal', signal: 'SIGCONT' });
    // A command has suspended the box, so it stays suspended. This CONT woke the wrapper, and perhaps the job.
    if (box.state === 'suspended') return reached ? keeper.suspend() : undefined;
    // After ^Z and `fg`, this also gives the terminal back to the job.
    return reached ? undefined : keeper.resume();
  };

  const pause = async (delivery: SignalDelivery) => {
    const { allStopped } = await keeper.pause(await deliveries.reachedJob(delivery));
    if (allStopped) box.paused({ via: 'signal', signal: 'SIGTSTP' });
  };

  const forward = async (delivery: SignalDelivery) =>
    (await deliveries.reachedJob(delivery)) ? undefined : keeper.signal('group', delivery.signal);

  return async (delivery) => {
    switch (signalName(delivery.signal)) {
      case 'INT':
      case 'QUIT':
      case 'TERM':
        await end(delivery);
        return;
      case 'HUP':
        void box.sample('signal');
        return;
      case 'CONT':
        return ignoreGone(wake(delivery));
      case 'TSTP':
        return ignoreGone(pause(delivery));
      default:
        return ignoreGone(forward(delivery));
    }
  };
}

/**
 * Handles signals to the wrapper of an adopted process, which gets its own signals without us.
 * @param release ends the supervision; null in the background, because a scheduler's signal to all processes must not
 */
export function handleAdopted(
  box: Box,
  release: ((by: Requester) => Promise<void>) | null,
): (delivery: SignalDelivery) => Promise<void> {
  return async (delivery) => {
    const { signal } = delivery;
    switch (signalName(signal)) {
      case 'INT':
      case 'QUIT':
      case 'TERM':
        void (
          release?.({ via: 'signal', signal: `SIG${signalName(signal)}`, ...senderOf(delivery) }) ??
          box.sample('signal')
        );
        return;
      case 'HUP':
        void box.sample('signal');
        return;
      case 'CONT':
        box.clock.noticeGap();
        return;
      default:
        return;
    }
  };
}

/** Who sent a signal, if this process can see the sender; the kernel, or another pid namespace, has no pid here. */
export function senderOf({ pid, uid }: { readonly pid: number; readonly uid?: number }): Pick<Requester, 'sender'> {
  if (pid <= 0) return {};
  const stat = readText(`/proc/${pid}/status`) ?? '';
  const name = /^Name:\t(.*)$/m.exec(stat)?.[1]?.replaceAll(/\p{Cc}/gu, '?');
  const own = uid ?? Number(/^Uid:\t(\d+)/m.exec(stat)?.[1] ?? 0);
  return { sender: { pid, uid: own, ...(name !== undefined && { name }) } };
}

/** Ignores that the job, and its keeper with it, has ended. */
async function ignoreGone(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if ((error as Error).message !== 'the keeper has ended') throw error;
  }
}
