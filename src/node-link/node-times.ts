import type { LinkTimes } from '../amqp/link.js';

const CONNECT_MS = 30_000;
const CALLS_MS = 60_000;
const WAITS_MS = [1_500, 5_000, 15_000, 60_000];

/**
 * For a link of a node, of which a broker serves thousands. A single lost connection is back at once. A broker's
 * restart spreads its nodes, because declaring and binding for all of them takes it up to half a minute. So a link
 * that gave up early and tried again would only make that longer.
 */
export const NODE_TIMES: LinkTimes = {
  attemptMs: () => CONNECT_MS,
  readyMs: CALLS_MS,
  waitMs: (rounds) => WAITS_MS[Math.min(rounds, WAITS_MS.length) - 1]!,
};
