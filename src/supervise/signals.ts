import { type Keeper, readText, type SignalDelivery } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import type { Requester } from '../model/types.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec } from '../options/spec.js';
import type { Deliveries } from './deliveries.js';

/** Signals to the wrapper; contract: docs/exit-status.md, "Signals to proc_box". */
export function handleSignals(
  box: Box,
  keeper: Keeper,
  spec: BoxSpec,
  deliveries: Deliveries,
): (delivery: SignalDelivery) => void {
  let interrupts = 0;

  const end = async (delivery: SignalDelivery) => {
    const name = `SIG${signalName(delivery.signal)}`;
    const by = { via: 'signal', signal: name, ...senderOf(delivery) } as const;
    if (name === 'SIGINT' && ++interrupts > 1) return box.kill(by);
    // Inside a scheduler's job a TERM is the scheduler's word.
    const reason = name === 'SIGTERM' && box.identity.scheduler !== 'none' ? 'scheduler' : 'stopped';
    // The job may die of it while we look.
    box.asked(reason, by, delivery.atMs);
    const [reached] = await Promise.all([deliveries.reachedJob(delivery), box.sample('signal')]);
    return box.stop(reason, by, reached ? null : delivery.signal, spec.graceMs);
  };

  const wake = async (delivery: SignalDelivery) => {
    box.clock.noticeGap();
    const reached = await deliveries.reachedJob(delivery);
    if (box.isPaused) return box.unpause({ via: 'signal', signal: 'SIGCONT' });
    // A box that a command has suspended stays so: this one woke the wrapper, and perhaps the job.
    if (box.state === 'suspended') return reached ? keeper.suspend() : undefined;
    // After ^Z and `fg` this gives the terminal back to the job, too.
    return reached ? undefined : keeper.resume();
  };

  const pause = async (delivery: SignalDelivery) => {
    const { allStopped } = await keeper.pause(await deliveries.reachedJob(delivery));
    if (allStopped) box.paused({ via: 'signal', signal: 'SIGTSTP' });
  };

  const forward = async (delivery: SignalDelivery) =>
    (await deliveries.reachedJob(delivery)) ? undefined : keeper.signal('group', delivery.signal);

  return (delivery) => {
    switch (signalName(delivery.signal)) {
      case 'INT':
      case 'QUIT':
      case 'TERM':
        void end(delivery);
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
 * Of an adopted process we are not the parent: its signals reach it without us.
 * @param release ends the supervision; null in the background, where a scheduler signals everybody of a job
 */
export function handleAdopted(
  box: Box,
  release: ((by: Requester) => Promise<void>) | null,
): (delivery: SignalDelivery) => void {
  return (delivery) => {
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

/** Who sent a signal, as far as this process can see it: the kernel and other pid namespaces have no number here. */
export function senderOf({ pid, uid }: { readonly pid: number; readonly uid?: number }): Pick<Requester, 'sender'> {
  if (pid <= 0) return {};
  const stat = readText(`/proc/${pid}/status`) ?? '';
  const name = /^Name:\t(.*)$/m.exec(stat)?.[1]?.replaceAll(/\p{Cc}/gu, '?');
  const own = uid ?? Number(/^Uid:\t(\d+)/m.exec(stat)?.[1] ?? 0);
  return { sender: { pid, uid: own, ...(name !== undefined && { name }) } };
}

/** The job may have ended already, and its keeper with it: then there is nobody to tell. */
function ignoreGone(request: Promise<unknown>): void {
  request.catch((error: Error) => {
    if (error.message !== 'the keeper has ended') throw error;
  });
}
