import { EXIT } from '../box/outcome.js';
import { describeError, isSpecError } from '../errors.js';
import { createLogger } from '../log.js';
import { print } from '../print.js';
import { AGENT_HELP, parseAgent } from './options.js';
import { type AgentInput, serveUntilTold } from './serve.js';
import { serviceOf } from './service.js';
import { printStatus } from './status.js';

/** Entry point of the bundle with the agent: `proc_box agent`. */

/**
 * Its unit starts the agent again at once, because boxes wait for it. One whose configuration is wrong would start, fail and log
 * several times a second, so it fails after this time only.
 */
const WRONG_CONFIGURATION_MS = 10_000;

/** Never rejects. @returns the exit status */
export async function runAgent(input: AgentInput): Promise<number> {
  const log = createLogger(input.debug ? 'debug' : 'info');
  try {
    const options = parseAgent(input.argv, input, process.env);
    if (options === null) return print(AGENT_HELP);
    for (const warning of options.warnings) log.warn(warning);
    return await (options.verb === 'status' ? printStatus(options) : serveUntilTold(options, input, log));
  } catch (error) {
    const why = describeError(error, input.debug);
    log.error(why);
    if (isSpecError(error) && serviceOf(process.env, process.ppid, log).notify('', why))
      await new Promise((resolve) => setTimeout(resolve, WRONG_CONFIGURATION_MS));
    return EXIT.failed;
  }
}
