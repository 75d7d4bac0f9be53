import type { Requester } from '../model/types.js';
import type { BoxOptions } from './box-options.js';
import { createFirstCause, type FirstCause } from './first-cause.js';
import { BEGIN, type Effect, type Input, type Lifecycle, step } from './lifecycle.js';
import type { Time } from './time.js';

export interface LifeOptions
  extends Pick<BoxOptions, 'spec' | 'keeper' | 'killGroup' | 'log' | 'time' | 'schedulerGraceMs' | 'onDeadline'> {
  /** A step other than `resume` has ended the suspension of the box. */
  readonly onWoken: () => void;
}

/**
 * The life of a box as it happens: takes the steps of lifecycle.ts one after the other, carries out their effects, and
 * keeps the end of the grace period.
 */
export class Life {
  readonly cause: FirstCause = createFirstCause();
  readonly #options: LifeOptions;
  readonly #grace: ReturnType<Time['createTimer']>;
  #state = BEGIN;
  #graceEndsMs = Number.POSITIVE_INFINITY;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#grace = options.time.createTimer(() => void this.apply({ type: 'graceOver' }));
  }

  get state(): Lifecycle {
    return this.#state;
  }

  hasEnded(): boolean {
    return this.#state.phase === 'ended';
  }

  /** Takes one step; resolves to the number of processes that were signalled. @param atMs when it was asked for */
  apply(input: Input, atMs = this.#options.time.now()): Promise<number> {
    const before = this.#state;
    const [after, effects] = step(before, input);
    this.cause.stepped(before, after, atMs);
    this.#state = after;
    if (before.suspended !== null && after.suspended === null && input.type !== 'resume') this.#options.onWoken();
    let done: Promise<number> = Promise.resolve(0);
    // Requests are sent at once and in order; the keeper answers in order.
    for (const effect of effects) {
      const request = this.#run(effect);
      if (request === undefined) continue;
      done = request.catch((error: Error) => {
        // The keeper has ended and has killed its box: `gone` tells.
        this.#options.log.debug(`${input.type}: ${error.message}`);
        return 0;
      });
    }
    return done;
  }

  /** The stop ladder; `signal` is what the job's group gets first, null where it has it already. */
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

  /** The scheduler kills by itself: the job has the time until then, less what the box still has to tell. */
  schedulersGrace(graceMs: number): number {
    const mostMs = this.#options.schedulerGraceMs();
    const uncapped = !this.#options.spec.graceAsked && mostMs !== Number.POSITIVE_INFINITY;
    return uncapped ? mostMs : Math.min(graceMs, mostMs);
  }

  /**
   * Tells the keeper, and after it the front end, what to do where this process does not act. A stop ladder that has begun
   * has its own end.
   */
  deadline(timeoutAtMs: number): void {
    const { spec, keeper, onDeadline } = this.#options;
    const { graceMs, endSignal: signal } = spec;
    const runs = Number.isFinite(this.#graceEndsMs);
    const [stopAtMs, killAtMs] = runs ? [0, this.#graceEndsMs] : [timeoutAtMs, 0];
    // As with #kill(): what is left behind ends, but what the job has written waits for its reader.
    keeper.deadline({ stopAtMs, killAtMs, graceMs, signal, abandon: this.#state.ending !== null });
    onDeadline?.(killAtMs || (stopAtMs && stopAtMs + graceMs));
  }

  /** No grace period ends any more. */
  close(): void {
    this.#grace.stop();
  }

  #run(effect: Effect): Promise<number> | undefined {
    const { keeper } = this.#options;
    switch (effect.do) {
      case 'signal':
        return keeper.signal(effect.scope, effect.signal);
      case 'stop':
        return keeper.stop(effect.how, effect.signal);
      case 'kill':
        return this.#kill();
      case 'suspend':
        return keeper.suspend();
      case 'resume':
        return keeper.resume();
      case 'grace':
        this.#graceUntil(this.#options.time.now() + effect.ms);
        return undefined;
    }
  }

  /** The group first, without a hop to the keeper; it takes what is left, and goes on until that is nothing. */
  async #kill(): Promise<number> {
    const inGroup = this.#options.killGroup();
    // Where nobody asked for the end, what the job has written waits for its reader.
    return Math.max(inGroup, await this.#options.keeper.kill(this.#state.ending !== null));
  }

  /** A deadline moves earlier only: whoever asks again does not prolong it. */
  #graceUntil(atMs: number): void {
    if (atMs >= this.#graceEndsMs) return;
    this.#graceEndsMs = atMs;
    this.#grace.start(Math.max(0, Math.ceil(atMs - this.#options.time.now())));
    this.deadline(0);
  }
}
