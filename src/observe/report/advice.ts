/** How much to ask for next time. */

const GIB = 1024 ** 3;

/** Steps that people ask in: up to this many bytes, in multiples of that many. */
const STEPS: readonly (readonly [upTo: number, step: number])[] = [
  [GIB, GIB / 8],
  [32 * GIB, GIB],
  [128 * GIB, 4 * GIB],
  [512 * GIB, 16 * GIB],
  [Number.POSITIVE_INFINITY, 64 * GIB],
];

/** @param marginPercent what to add to what was used */
export function memoryToAsk(usedBytes: number, marginPercent: number): number {
  const wanted = usedBytes * (1 + marginPercent / 100);
  const [, step] = STEPS.find(([upTo]) => wanted <= upTo)!;
  return Math.max(step, Math.ceil(wanted / step) * step);
}

/** Whole cores. */
export function coresToAsk(used: number, marginPercent: number): number {
  return Math.max(1, Math.ceil(used * (1 + marginPercent / 100) - 0.01));
}

const MINUTE_MS = 60_000;
const TIMES: readonly (readonly [upTo: number, step: number])[] = [
  [60 * MINUTE_MS, 5 * MINUTE_MS],
  [6 * 60 * MINUTE_MS, 15 * MINUTE_MS],
  [24 * 60 * MINUTE_MS, 60 * MINUTE_MS],
  [Number.POSITIVE_INFINITY, 6 * 60 * MINUTE_MS],
];

export function timeToAsk(usedMs: number, marginPercent: number): number {
  const wanted = usedMs * (1 + marginPercent / 100);
  const [, step] = TIMES.find(([upTo]) => wanted <= upTo)!;
  return Math.max(step, Math.ceil(wanted / step) * step);
}
