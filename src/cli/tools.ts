/** Entry of the bundle with the tools beside the box itself; main.ts loads it only when one of them is called. */
export { helpText } from '../spec/help.js';
export { runCheck } from './check.js';
export { runCtl } from './ctl.js';
export { runSpool } from './spool.js';
export { runWhere } from './where.js';
