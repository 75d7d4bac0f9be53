/** Entry point of the bundle with the tools, which main.ts loads only when the user calls one of them. */
export { helpText } from '../options/help.js';
export { runCheck } from './check/index.js';
export { runCtl } from './ctl/index.js';
export { runList } from './list.js';
export { runSpool } from './spool/index.js';
export { runWhere } from './where.js';
