import type { StopHow } from 'cgroup-utils-native';
import type { BoxState, Reason, Requester } from '../model/types.js';

/**
 * The life of a box as a pure function: (state, input) -> (state, effects). Nothing here waits, signals or logs;
 * box.ts runs the effects in their order.
 */
export interface Lifecycle {
  readonly phase: 'starting' | 'running' | 'stopping' | 'ended';
  /** Who has suspended it: a command, or a SIGTSTP, which the next SIGCONT undoes. */
  readonly suspended: 'command' | 'signal' | null;
  /** The main process has ended; others of the box may live. */
  readonly mainEnded: boolean;
  /** Why the box ends and who asked: the first one wins. */
  readonly ending: { readonly reason: Reason; readonly by: Requester } | null;
  /** The last signal that `kill` sent, for when the job dies of it. */
  readonly lastKill: { readonly signal: number; readonly by: Requester } | null;
}

export type Input =
  | { readonly type: 'started' }
  /** An end was asked for, and `stop` follows: what happens in between has this reason. */
  | { readonly type: 'asked'; readonly reason: Reason; readonly by: Requester }
  /** The stop ladder: `signal` now (null: the job has it already), SIGKILL to everything after the grace period. */
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
  /** The main process has ended and others have not. `spare`: those who have had the scheduler's signal are left alone. */
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
  /** The first rung of the stop ladder; native/src/keeper/ladder.h. */
  | { readonly do: 'stop'; readonly how: StopHow; readonly signal: number }
  /** SIGKILL to every process until none is left. */
  | { readonly do: 'kill' }
  | { readonly do: 'suspend' }
  | { readonly do: 'resume' }
  /** The grace period ends after `ms`, or when it would have ended anyway. */
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
      // The signal first, then the thaw: the job wakes up to it.
      const effects: Effect[] = input.signal === null ? [] : [{ do: 'stop', how, signal: input.signal }];
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
      const effects: Effect[] = [{ do: 'stop', how: input.spare ? 'spare' : 'rest', signal: input.signal }];
      if (state.suspended !== null) effects.push({ do: 'resume' });
      effects.push({ do: 'grace', ms: input.graceMs });
      return [{ ...state, phase: 'stopping', suspended: null }, effects];
    }
    case 'ended':
      return [{ ...state, phase: 'ended', suspended: null }, []];
  }
}

/** The state as messages name it. */
export function boxState({ phase, suspended }: Lifecycle): BoxState {
  return phase === 'running' && suspended !== null ? 'suspended' : phase;
}
