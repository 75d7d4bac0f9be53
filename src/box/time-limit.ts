import type { EventBody } from '../model/event.js';
import { duration } from '../options/amounts.js';
import { signalName } from '../options/signals.js';
import type { BoxOptions } from './box-options.js';
import type { Life } from './life.js';
import { type Near, share } from './near.js';
import { createWallClock, type Mark, type WallClock } from './timer.js';

export interface TimeLimitOptions extends Pick<BoxOptions, 'spec' | 'keeper' | 'log' | 'time' | 'saved' | 'onChanged'> {
  readonly life: Life;
  readonly near: Near;
  readonly emitEvent: (body: EventBody) => void;
  readonly onExpired: () => void;
}

/** The wall clock limit of a box, with the --near thresholds and the --warn-signal that precede it. */
export interface TimeLimit {
  readonly clock: WallClock;
  /** Returns the signal of --warn-signal if it was sent. */
  readonly warned: () => number | null;
}

export function createTimeLimit(options: TimeLimitOptions): TimeLimit {
  const { spec, keeper, log, time, life, near, emitEvent, onExpired } = options;
  let warned = options.saved?.warned ?? null;
  const thresholds = spec.near.map((percent): Mark => {
    const used = (atMs: number) => Math.max(clock.status().elapsed_ms, Math.ceil(atMs));
    const onReached = (atMs: number) => near.used('timeout', used(atMs));
    return { atMs: (limitMs) => share(limitMs, percent), onReached, again: true };
  });
  const warn = (signal: number) => {
    if (life.state.phase !== 'running') return;
    warned = signal;
    keeper.signal('group', signal).catch((error: Error) => log.debug(`--warn-signal: ${error.message}`));
    const remaining = clock.status().remaining_ms ?? 0;
    emitEvent({ event: 'warned', signal: `SIG${signalName(signal)}`, remaining_ms: remaining });
  };
  const warning = ({ signal, beforeMs }: NonNullable<typeof spec.warnSignal>): Mark => ({
    atMs: (limitMs) => Math.max(0, limitMs - beforeMs),
    onReached: () => warn(signal),
    again: false,
  });
  const clock = createWallClock({
    limitMs: spec.timeoutMs,
    time,
    onExpired,
    onArmed: (atMs) => life.deadline(atMs),
    marks: spec.warnSignal === undefined ? thresholds : [...thresholds, warning(spec.warnSignal)],
    // The scheduler had stopped or frozen the wrapper together with the job.
    onGap: (ms) => {
      // Before anything else: the next agent must not count it again.
      options.onChanged?.('now');
      log.info(`the wrapper was suspended for ${duration(ms)}; the wall clock limit does not count it`);
      const by = { via: 'box' } as const;
      emitEvent({ event: 'suspended', by });
      emitEvent({ event: 'resumed', by });
    },
  });
  return { clock, warned: () => warned };
}
