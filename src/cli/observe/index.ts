import type { CtlInput } from '../ctl/options.js';

/**
 * Entry point of the bundle that shows what boxes do. No box loads it. Each verb evaluates only its own modules: the broker's client
 * takes longer to load than a report.
 */
export const runReport = async (input: CtlInput) => (await import('./report.js')).runReport(input);
export const runTop = async (input: CtlInput) => (await import('./top.js')).runTop(input);
export const runWatch = async (input: CtlInput) => (await import('./watch.js')).runWatch(input);
