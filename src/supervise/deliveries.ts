import type { KeeperEvent, SignalDelivery } from 'cgroup-utils-native';

type Witnessed = Extract<KeeperEvent, { type: 'witnessed' }>;

export interface Deliveries {
  /**
   * Reports a signal that the keeper got. Its sender then signals all processes around the wrapper, so the job got it,
   * too.
   */
  witnessed(by: Witnessed): void;
  /** Whether the sender of this signal to the wrapper has also sent it to the job. Never rejects. */
  reachedJob(delivery: SignalDelivery): Promise<boolean>;
}

/**
 * Most time between the arrivals of one signal at the wrapper and the keeper. Senders take microseconds from one
 * process to the next, but on a busy host each receiver may have to wait for a CPU.
 */
const APART_MS = 1000;
/** The kernel merges equal signals to a process that does not run in between: for example Slurm's TERM, CONT, TERM. */
const BURST_MS = 10;
const REMEMBERED = 32;

/** A signal that the keeper saw, and when the wrapper got the same one. */
interface Seen {
  readonly by: Witnessed;
  claimedAtMs?: number;
}

/**
 * Tells which signals the job already has, so that the wrapper does not forward them: Slurm's proctrack/linuxproc
 * signals every descendant, and PBS every process of the session. Both also reach the keeper, which is the witness.
 * @param waitMs how long after the wrapper the keeper may see a signal; 0 if this scheduler signals only the wrapper
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
      if (delivery.reached || claim(delivery)) return Promise.resolve(true);
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
