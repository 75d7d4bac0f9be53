import type { StopHow } from 'cgroup-utils-native';
import type { BoxState, Reason, Requester } from '../model/types.js';

/**
 * The life cycle of a box as a pure function: (state, input) -> (state, effects). Nothing here waits, signals or logs;
 * life.ts carries out the effects in order.
 */
export interface Lifecycle {
  readonly phase: 'starting' | 'running' | 'stopping' | 'ended';
  /** What suspended the box: a command, or a SIGTSTP, which the next SIGCONT undoes. */
  readonly suspended: 'command' | 'signal' | null;
  /** The main process has ended; other processes of the box may still run. */
  readonly mainEnded: boolean;
  /** Why the box ends and who asked for it. The first reason wins. */
  readonly ending: { readonly reason: Reason; readonly by: Requester } | null;
  /** The last signal that `kill` sent, in case the job dies of it. */
  readonly lastKill: { readonly signal: number; readonly by: Requester } | null;
}

export type Input =
  | { readonly type: 'started' }
  /** An end was asked for, and `stop` follows. An end in between has this reason. */
  | { readonly type: 'asked'; readonly reason: Reason; readonly by: Requester }
  /** The stop ladder: `signal` now (null if the job has already got it), SIGKILL to every process after the grace period. */
  | {
      readonly type: 'stop';
      readonly reason: Reason;
      readonly by: Requester;
      readonly signal: number | null;
      readonly graceMs: number;
    }
  | { readonly type: 'kill'; readonly reason: Reason; readonly signal: number; readonly by: Requester }
  | { readonly type: 'suspend' }
  /** A SIGTSTP has stopped every process. */
  | { readonly type: 'paused' }
  | { readonly type: 'resume' }
  | { readonly type: 'graceOver' }
  | { readonly type: 'mainEnded' }
  /** The main process has ended, others have not. `spare` leaves those alone that have got the scheduler's signal. */
  | {
      readonly type: 'leftovers';
      readonly signal: number;
      readonly graceMs: number;
      readonly linger: boolean;
      readonly spare: boolean;
    }
  | { readonly type: 'ended' };

export type Effect =
  | { readonly do: 'signal'; readonly scope: 'group' | 'all'; readonly signal: number }
  /** The first rung of the stop ladder (native/src/keeper/ladder.h). */
  | { readonly do: 'stop'; readonly how: StopHow; readonly signal: number; readonly atTimeLimit: boolean }
  /** Sends SIGKILL to every process until none is left. */
  | { readonly do: 'kill' }
  | { readonly do: 'suspend' }
  | { readonly do: 'resume' }
  /** The grace period ends after `ms`, or earlier if it already would have. */
  | { readonly do: 'grace'; readonly ms: number };

export const SIGKILL = 9;

export const BEGIN: Lifecycle = { phase: 'starting', suspended: null, mainEnded: false, ending: null, lastKill: null };

export function step(state: Lifecycle, input: Input): readonly [Lifecycle, readonly Effect[]] {
  if (state.phase === 'ended') return [state, []];
  switch (input.type) {
    case 'started':
      return [{ ...state, phase: state.phase === 'starting' ? 'running' : state.phase }, []];
    case 'asked':
      return [{ ...state, ending: state.ending ?? input }, []];
    case 'stop': {
      const how = state.mainEnded ? 'rest' : input.reason === 'scheduler' ? 'forward' : 'group';
      const next: Lifecycle = { ...state, phase: 'stopping', suspended: null, ending: state.ending ?? input };
      // The signal is sent before the thaw, so that it is the first thing the job sees.
      const effects: Effect[] =
        input.signal === null
          ? []
          : [{ do: 'stop', how, signal: input.signal, atTimeLimit: next.ending?.reason === 'timeout' }];
      if (state.suspended !== null) effects.push({ do: 'resume' });
      return [next, [...effects, { do: 'grace', ms: input.graceMs }]];
    }
    case 'kill': {
      if (input.signal !== SIGKILL) {
        return [{ ...state, lastKill: input }, [{ do: 'signal', scope: 'all', signal: input.signal }]];
      }
      return [{ ...state, phase: 'stopping', ending: state.ending ?? input }, [{ do: 'kill' }]];
    }
    case 'suspend':
      return state.suspended === 'command' ? [state, []] : [{ ...state, suspended: 'command' }, [{ do: 'suspend' }]];
    case 'paused':
      return [{ ...state, suspended: state.suspended ?? 'signal' }, []];
    case 'resume':
      return [{ ...state, suspended: null }, [{ do: 'resume' }]];
    case 'graceOver':
      return [state, [{ do: 'kill' }]];
    case 'mainEnded':
      return [{ ...state, mainEnded: true }, []];
    case 'leftovers': {
      if (input.linger && state.phase !== 'stopping') return [state, []];
      const effects: Effect[] = [
        { do: 'stop', how: input.spare ? 'spare' : 'rest', signal: input.signal, atTimeLimit: false },
      ];
      if (state.suspended !== null) effects.push({ do: 'resume' });
      effects.push({ do: 'grace', ms: input.graceMs });
      return [{ ...state, phase: 'stopping', suspended: null }, effects];
    }
    case 'ended':
      return [{ ...state, phase: 'ended', suspended: null }, []];
  }
}

/** The state by the name that messages use. */
export function boxState({ phase, suspended }: Lifecycle): BoxState {
  return phase === 'running' && suspended !== null ? 'suspended' : phase;
}
