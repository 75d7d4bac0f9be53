import type { KeeperEvent, SignalDelivery } from 'cgroup-utils-native';

type Witnessed = Extract<KeeperEvent, { type: 'witnessed' }>;

export interface Deliveries {
  /** The keeper got a signal: so did everything else that its sender reaches. */
  witnessed(by: Witnessed): void;
  /** Whether whoever sent this signal to the wrapper has sent it to the job, too. Never rejects. */
  reachedJob(delivery: SignalDelivery): Promise<boolean>;
}

/**
 * How far apart wrapper and keeper may see one signal. Senders take microseconds from one process to the next; a busy host
 * lets each of them wait for a CPU.
 */
const APART_MS = 1000;
/** Signals of one kind that come faster are one to whoever was not scheduled in between: Slurm's TERM, CONT, TERM. */
const BURST_MS = 10;
const REMEMBERED = 32;

/** What the keeper saw, and when the wrapper got the same. */
interface Seen {
  readonly by: Witnessed;
  claimedAtMs?: number;
}

/**
 * Slurm's linuxproc signals every descendant, PBS every process of the session: then the job has the signal already, and
 * the wrapper must not pass it on. The keeper, beside the job in both, is the witness.
 * @param waitMs how long after the wrapper the keeper may see it; 0 where nobody sends in that way
 */
export function createDeliveries(waitMs: () => number): Deliveries {
  const seen: Seen[] = [];
  const waiting = new Set<{ delivery: SignalDelivery; resolve: (reached: boolean) => void }>();

  const claim = (delivery: SignalDelivery) => {
    const found =
      seen.find((one) => one.claimedAtMs === undefined && isSame(one.by, delivery)) ??
      seen.find((one) => isSame(one.by, delivery) && isBurst(one, delivery));
    if (found !== undefined) found.claimedAtMs ??= delivery.atMs;
    return found !== undefined;
  };

  return {
    witnessed(by) {
      seen.push({ by });
      if (seen.length > REMEMBERED) seen.shift();
      for (const one of waiting) {
        if (!claim(one.delivery)) continue;
        waiting.delete(one);
        one.resolve(true);
      }
    },
    reachedJob(delivery) {
      if (claim(delivery)) return Promise.resolve(true);
      const ms = waitMs();
      if (ms === 0) return Promise.resolve(false);
      return new Promise((resolve) => {
        const one = { delivery, resolve };
        waiting.add(one);
        setTimeout(() => {
          if (waiting.delete(one)) resolve(false);
        }, ms);
      });
    },
  };
}

function isSame(by: Witnessed, { signal, pid, atMs }: SignalDelivery): boolean {
  return by.signal === signal && by.pid === pid && Math.abs(by.atMs - atMs) <= APART_MS;
}

function isBurst({ claimedAtMs }: Seen, { atMs }: SignalDelivery): boolean {
  return claimedAtMs !== undefined && Math.abs(atMs - claimedAtMs) <= BURST_MS;
}
