import type { BoxState, Reason, Requester } from './types.js';

/**
 * The life of a box as a pure function: (state, input) -> (state, effects). Nothing here waits, signals or logs;
 * box.ts runs the effects in their order.
 */
export interface Lifecycle {
  readonly phase: 'starting' | 'running' | 'stopping' | 'ended';
  readonly suspended: boolean;
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
  | { readonly type: 'resume' }
  | { readonly type: 'graceOver' }
  | { readonly type: 'mainEnded' }
  /** The main process has ended and others have not. */
  | { readonly type: 'leftovers'; readonly signal: number; readonly graceMs: number; readonly linger: boolean }
  | { readonly type: 'ended' };

export type Effect =
  | { readonly do: 'signal'; readonly scope: 'group' | 'all'; readonly signal: number }
  /** SIGKILL to every process until none is left. */
  | { readonly do: 'kill' }
  | { readonly do: 'suspend' }
  | { readonly do: 'resume' }
  /** (Re)starts the grace period. */
  | { readonly do: 'grace'; readonly ms: number };

export const SIGKILL = 9;

export const BEGIN: Lifecycle = { phase: 'starting', suspended: false, mainEnded: false, ending: null, lastKill: null };

export function step(state: Lifecycle, input: Input): readonly [Lifecycle, readonly Effect[]] {
  if (state.phase === 'ended') return [state, []];
  switch (input.type) {
    case 'started':
      return [{ ...state, phase: state.phase === 'starting' ? 'running' : state.phase }, []];
    case 'asked':
      return [{ ...state, ending: state.ending ?? input }, []];
    case 'stop': {
      const scope = state.mainEnded ? 'all' : 'group';
      const next: Lifecycle = { ...state, phase: 'stopping', suspended: false, ending: state.ending ?? input };
      // The signal first, then the thaw: the job wakes up to it.
      const effects: Effect[] = input.signal === null ? [] : [{ do: 'signal', scope, signal: input.signal }];
      if (state.suspended) effects.push({ do: 'resume' });
      return [next, [...effects, { do: 'grace', ms: input.graceMs }]];
    }
    case 'kill': {
      if (input.signal !== SIGKILL) {
        return [{ ...state, lastKill: input }, [{ do: 'signal', scope: 'all', signal: input.signal }]];
      }
      return [{ ...state, phase: 'stopping', ending: state.ending ?? input }, [{ do: 'kill' }]];
    }
    case 'suspend':
      return state.suspended ? [state, []] : [{ ...state, suspended: true }, [{ do: 'suspend' }]];
    case 'resume':
      return [{ ...state, suspended: false }, [{ do: 'resume' }]];
    case 'graceOver':
      return [state, [{ do: 'kill' }]];
    case 'mainEnded':
      return [{ ...state, mainEnded: true }, []];
    case 'leftovers': {
      if (input.linger && state.phase !== 'stopping') return [state, []];
      const effects: Effect[] = [{ do: 'signal', scope: 'all', signal: input.signal }];
      if (state.suspended) effects.push({ do: 'resume' });
      // A ladder that runs already keeps its deadline.
      if (state.phase !== 'stopping') effects.push({ do: 'grace', ms: input.graceMs });
      return [{ ...state, phase: 'stopping', suspended: false }, effects];
    }
    case 'ended':
      return [{ ...state, phase: 'ended', suspended: false }, []];
  }
}

/** The state as messages name it. */
export function boxState({ phase, suspended }: Lifecycle): BoxState {
  return phase === 'running' && suspended ? 'suspended' : phase;
}
