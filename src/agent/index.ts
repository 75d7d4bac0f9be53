import { EXIT } from '../box/outcome.js';
import { describeError } from '../errors.js';
import { createLogger } from '../log.js';
import type { SpecInput } from '../options/assemble.js';
import { print } from '../print.js';
import type { Host } from './hosted-box.js';
import { AGENT_HELP, parseAgent } from './options.js';
import { serveUntilTold } from './serve.js';
import { printStatus } from './status.js';

/** Entry point of the bundle with the agent: `proc_box agent`. */

export interface AgentInput
  extends Omit<SpecInput, 'words' | 'command' | 'deadline'>,
    Pick<Host, 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'> {
  readonly argv: readonly string[];
  readonly debug: boolean;
  readonly version: string;
}

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
