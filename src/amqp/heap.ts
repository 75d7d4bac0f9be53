import type { Logger } from '../log.js';

const SAME_SPACE_FOR_NEW = '--semi-space-growth-factor=1';

/**
 * Keeps V8's space for new objects at its present size. Messages that wait for the broker survive garbage collections,
 * so V8 would let that space grow by up to 48 MB, which is as much again as the outbox may hold. Call this once
 * messages wait and not at the start, because loading the broker's code needs the space.
 */
export function keepHeapSmall(log: Logger): void {
  setFlags(log, SAME_SPACE_FOR_NEW);
}

/**
 * The same, and V8 collects garbage when its heap has grown by a fifth. By default it may grow to a multiple, which with many
 * long-lived objects is hundreds of megabytes.
 */
export function keepLargeHeapSmall(log: Logger): void {
  setFlags(log, SAME_SPACE_FOR_NEW, '--heap-growing-percent=20');
}

function setFlags(log: Logger, ...flags: readonly string[]): void {
  import('node:v8').then(
    ({ setFlagsFromString }) => {
      for (const flag of flags) setFlagsFromString(flag);
    },
    (error: Error) => log.debug(`node:v8: ${error.message}`),
  );
}
