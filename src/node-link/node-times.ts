import type { LinkTimes } from '../amqp/link-times.js';

const CONNECT_MS = 30_000;
const CALLS_MS = 60_000;
const WAITS_MS = [1_500, 5_000, 15_000, 60_000];

/**
 * For a link of a node, of which a broker serves thousands. A single lost connection is back at once. A broker's
 * restart spreads its nodes, because declaring and binding for all of them takes it up to half a minute. So a link
 * that gave up early and tried again would only make that longer.
 */
export function nodeTimes(waitsMs: readonly number[] = WAITS_MS): LinkTimes {
  return {
    attemptMs: () => CONNECT_MS,
    readyMs: CALLS_MS,
    waitMs: (rounds) => waitsMs[Math.min(rounds, waitsMs.length) - 1]!,
  };
}
