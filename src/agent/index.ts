import { EXIT } from '../box/outcome.js';
import { describeError } from '../errors.js';
import { createLogger } from '../log.js';
import { print } from '../print.js';
import { AGENT_HELP, parseAgent } from './options.js';
import { type AgentInput, serveUntilTold } from './serve.js';
import { printStatus } from './status.js';

/** Entry point of the bundle with the agent: `proc_box agent`. */

/** Never rejects. @returns the exit status */
export async function runAgent(input: AgentInput): Promise<number> {
  const log = createLogger(input.debug ? 'debug' : 'info');
  try {
    const options = parseAgent(input.argv, input, process.env);
    if (options === null) return print(AGENT_HELP);
    for (const warning of options.warnings) log.warn(warning);
    return await (options.verb === 'status' ? printStatus(options) : serveUntilTold(options, input, log));
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}
