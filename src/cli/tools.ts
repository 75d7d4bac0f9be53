/** Entry of the bundle with the tools beside the box itself; main.ts loads it only when one of them is called. */
export { helpText } from '../options/help.js';
export { runCheck } from './check/index.js';
export { runCtl } from './ctl/index.js';
export { runSpool } from './spool/index.js';
export { runWhere } from './where.js';
