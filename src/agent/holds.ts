import type { Keeper } from 'cgroup-utils-native';
import type { HoldWatch } from '../box/time.js';

/** How long the scheduler has held a box of this agent, as its keeper counts it: the keeper is held with the box, the agent is not. */
export class Holds {
  readonly #keeper: Pick<Keeper, 'heldMs'>;
  readonly #tell = new Set<() => void>();
  #totalMs = 0;

  constructor(keeper: Pick<Keeper, 'heldMs'>) {
    this.#keeper = keeper;
  }

  /** @param totalMs since the box began, through all its agents */
  heard(totalMs: number): void {
    // A keeper is the user's, so it may say anything.
    if (!Number.isFinite(totalMs) || totalMs <= this.#totalMs) return;
    this.#totalMs = totalMs;
    for (const tell of this.#tell) tell();
  }

  readonly watch = (onHeld: () => void): HoldWatch => {
    this.#tell.add(onHeld);
    return {
      suspendedMs: () => this.#totalMs,
      // A keeper that is held answers when the hold has ended; one that has gone reports the end of the box.
      upToDate: async () => this.heard(await this.#keeper.heldMs().catch(() => 0)),
      close: () => void this.#tell.delete(onHeld),
    };
  };
}
