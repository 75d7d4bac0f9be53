import { acceptSignals, type Keeper } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import type { Requester } from '../box/types.js';
import type { BoxSpec } from '../spec/spec.js';

/** Numbers of the signals that the wrapper passes on; signal(7), Linux. */
const FORWARDED = { SIGUSR1: 10, SIGUSR2: 12, SIGWINCH: 28, SIGTSTP: 20 } as const;
const ENDING = { SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;

/** Signals to the wrapper; contract: docs/exit-status.md, "Signals to proc_box". */
export function handleSignals(box: Box, keeper: Keeper, spec: BoxSpec): void {
  let interrupts = 0;
  for (const [name, number] of Object.entries(ENDING)) {
    process.on(name as NodeJS.Signals, () => {
      const by = { via: 'signal', signal: name } as const;
      if (name === 'SIGINT' && ++interrupts > 1) {
        void box.kill(by);
        return;
      }
      // Inside a scheduler's job a TERM is the scheduler's word.
      const reason = name === 'SIGTERM' && box.identity.scheduler !== 'none' ? 'scheduler' : 'stopped';
      void box.sample('signal').then(() => box.stop(reason, by, number, spec.graceMs));
    });
  }
  process.on('SIGHUP', () => void box.sample('signal'));
  for (const [name, number] of Object.entries(FORWARDED)) {
    process.on(name as NodeJS.Signals, () => ignoreGone(keeper.signal('group', number)));
  }
  process.on('SIGCONT', () => {
    box.clock.noticeGap();
    // A box that a command has suspended stays so: this one woke the wrapper.
    if (box.state === 'suspended') return;
    // After ^Z and `fg` this gives the terminal back to the job, too.
    ignoreGone(keeper.resume());
  });
  acceptSignals();
}

/**
 * Of an adopted process we are not the parent: its signals reach it without us.
 * @param release ends the supervision; null in the background, where a scheduler signals everybody of a job
 */
export function handleAdopted(box: Box, release: ((by: Requester) => Promise<void>) | null): void {
  for (const name of Object.keys(ENDING)) {
    process.on(name as NodeJS.Signals, () => {
      if (release === null) void box.sample('signal');
      else void release({ via: 'signal', signal: name });
    });
  }
  process.on('SIGHUP', () => void box.sample('signal'));
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const) process.on(name, () => {});
  process.on('SIGCONT', () => box.clock.noticeGap());
  acceptSignals();
}

/** The job may have ended already, and its keeper with it: then there is nobody to tell. */
function ignoreGone(request: Promise<unknown>): void {
  request.catch((error: Error) => {
    if (error.message !== 'the keeper has ended') throw error;
  });
}
