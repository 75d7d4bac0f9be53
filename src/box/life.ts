import type { Requester } from '../model/types.js';
import type { BoxOptions } from './box-options.js';
import { createFirstCause, type FirstCause } from './first-cause.js';
import { BEGIN, type Effect, type Input, type Lifecycle, step } from './lifecycle.js';
import type { SavedBox, SavedLife } from './saved.js';
import type { Time } from './time.js';

export interface LifeOptions
  extends Pick<BoxOptions, 'spec' | 'keeper' | 'log' | 'time' | 'schedulerGraceMs' | 'onDeadline' | 'onChanged'> {
  /** Called when a step other than `resume` has ended the suspension of the box. */
  readonly onWoken: () => void;
}

/** Runs the life cycle of a box: takes the steps of lifecycle.ts, carries out their effects, and times the grace period. */
export class Life {
  readonly cause: FirstCause;
  readonly #options: LifeOptions;
  readonly #grace: ReturnType<Time['createTimer']>;
  #state = BEGIN;
  #graceEndsMs = Number.POSITIVE_INFINITY;

  constructor(options: LifeOptions, saved?: Pick<SavedBox, 'life' | 'cause'>) {
    this.#options = options;
    this.cause = createFirstCause(saved?.cause);
    this.#grace = options.time.createTimer(() => void this.apply({ type: 'graceOver' }));
    if (saved !== undefined) this.#state = saved.life.state;
  }

  /** For another process that goes on with the box. */
  save(): SavedLife {
    return { state: this.#state, graceEndsMs: Number.isFinite(this.#graceEndsMs) ? this.#graceEndsMs : null };
  }

  /** Goes on with a grace period that another process has begun. */
  resume({ graceEndsMs }: SavedLife): void {
    if (graceEndsMs !== null) this.#graceUntil(graceEndsMs);
  }

  get state(): Lifecycle {
    return this.#state;
  }

  hasEnded(): boolean {
    return this.#state.phase === 'ended';
  }

  /** Takes one step; resolves to the number of processes that were signalled. @param atMs when the step was asked for */
  apply(input: Input, atMs = this.#options.time.now()): Promise<number> {
    const before = this.#state;
    const [after, effects] = step(before, input);
    this.cause.stepped(before, after, atMs);
    this.#state = after;
    if (before.suspended !== null && after.suspended === null && input.type !== 'resume') this.#options.onWoken();
    let done: Promise<number> = Promise.resolve(0);
    // The requests are sent at once, and the keeper answers them in order: the last answer stands for all.
    for (const effect of effects) {
      const request = this.#run(effect, atMs);
      if (request === undefined) continue;
      done = request.catch((error: Error) => {
        // The keeper has died. `gone` follows and ends the box.
        this.#options.log.debug(`${input.type}: ${error.message}`);
        return 0;
      });
    }
    // Together with the requests: the next agent must know why the box ends.
    if (after.ending !== before.ending || after.lastKill !== before.lastKill) this.#options.onChanged?.('now');
    return done;
  }

  /** Starts the stop ladder. @param signal goes to the job's process group first; null if the group has already got it */
  stop(
    reason: 'stopped' | 'scheduler' | 'timeout' | 'stdoutlimit' | 'cpu',
    by: Requester,
    signal: number | null,
    graceMs = this.#options.spec.graceMs,
    atMs?: number,
  ): Promise<number> {
    const withinMs = reason === 'scheduler' ? this.schedulersGrace(graceMs) : graceMs;
    return this.apply({ type: 'stop', reason, by, signal, graceMs: withinMs }, atMs);
  }

  /** The grace period under a scheduler that will kill the job itself: it leaves the box time to report, ms. */
  schedulersGrace(graceMs: number): number {
    const mostMs = this.#options.schedulerGraceMs();
    const uncapped = !this.#options.spec.graceAsked && mostMs !== Number.POSITIVE_INFINITY;
    return uncapped ? mostMs : Math.min(graceMs, mostMs);
  }

  /**
   * Tells the keeper, and through it the front end, when to act if this process does not. Once a stop ladder has begun, the
   * end of its grace period counts instead of the time limit.
   */
  deadline(timeoutAtMs: number): void {
    const { spec, keeper, onDeadline } = this.#options;
    const { graceMs, endSignal: signal } = spec;
    const runs = Number.isFinite(this.#graceEndsMs);
    const [stopAtMs, killAtMs] = runs ? [0, this.#graceEndsMs] : [timeoutAtMs, 0];
    // As for a kill: unless somebody asked for the end, the job's output still waits for its reader.
    keeper.deadline({ stopAtMs, killAtMs, graceMs, signal, abandon: this.#state.ending !== null });
    onDeadline?.(killAtMs || (stopAtMs && stopAtMs + graceMs));
  }

  /** Cancels the grace period. */
  close(): void {
    this.#grace.stop();
  }

  #run(effect: Effect, atMs: number): Promise<number> | undefined {
    const { keeper } = this.#options;
    switch (effect.do) {
      case 'signal':
        return keeper.signal(effect.scope, effect.signal);
      case 'stop':
        return keeper.stop(effect.how, effect.signal, effect.atTimeLimit);
      case 'kill':
        // Unless somebody asked for the end, the job's output still waits for its reader.
        return keeper.kill(this.#state.ending !== null);
      case 'suspend':
        return keeper.suspend();
      case 'resume':
        return keeper.resume();
      case 'grace':
        this.#graceUntil(atMs + effect.ms);
        return undefined;
    }
  }

  /** Only ever moves the deadline earlier, so that a second request does not prolong the grace period. */
  #graceUntil(atMs: number): void {
    if (atMs >= this.#graceEndsMs) return;
    this.#graceEndsMs = atMs;
    this.#grace.start(Math.max(0, Math.ceil(atMs - this.#options.time.now())));
    this.deadline(0);
  }
}
