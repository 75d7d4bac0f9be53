import type { Logger } from '../log.js';

/**
 * Messages that wait for the broker survive, so V8 would let its space for new objects grow by up to 48 MB: as much again as the
 * outbox may hold. Call this once messages wait, and not at the start: loading the broker's code needs that space.
 */
export function keepHeapSmall(log: Logger): void {
  import('node:v8').then(
    ({ setFlagsFromString }) => setFlagsFromString('--semi-space-growth-factor=1'),
    (error: Error) => log.debug(`node:v8: ${error.message}`),
  );
}
