/** Entry point of the bundle that shows what boxes do. No box loads it. */
export { runReport } from './report.js';
export { runTop } from './top.js';
export { runWatch } from './watch.js';
