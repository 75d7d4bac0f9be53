import { randomHex } from 'cgroup-utils-native';
import { EXIT } from '../box/outcome.js';
import { BrokerError, SpecError } from '../errors.js';
import { createLogger, type Logger } from '../log.js';
import { duration } from '../spec/amounts.js';
import { type CtlAnswer, formatAnswer, parseAnswer } from './ctl-answer.js';
import { ctlHelp } from './ctl-help.js';
import { type CtlInput, type CtlRequest, parseCtl } from './ctl-options.js';
import { type SendOutcome, sendCommand } from './ctl-send.js';
import { runKeygen } from './keygen.js';
import { signCommand } from './sign.js';

/** Exit statuses of `proc_box ctl`, beside 0 and those of the box; docs/operations.md. */
const CTL_EXIT = { refused: 1, noAnswer: 2 } as const;

/** `proc_box ctl`: sends one command, prints a line for each answer. Never rejects. @returns the exit status */
export async function runCtl(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  // A reader that has gone away is no reason for a stack trace.
  process.stdout.on('error', () => {});
  try {
    if (input.argv[2] === 'keygen') return await print(runKeygen(input.argv.slice(3)));
    const parsed = parseCtl(input);
    if (parsed.kind === 'help') return await print(ctlHelp());
    if (parsed.request.uris.length === 0)
      throw new SpecError('a command goes over a broker, and --uri is "none": give its URI');
    for (const warning of parsed.warnings) log.warn(warning);
    return await send(parsed.request, log);
  } catch (error) {
    const expected = error instanceof SpecError || error instanceof BrokerError;
    log.error(expected ? error.message : `internal error: ${(error as Error).stack}`);
    return EXIT.failed;
  }
}

async function send(request: CtlRequest, log: Logger): Promise<number> {
  const messageId = request.messageId ?? `ctl-${randomHex(8)}`;
  const answers = new Map<string, CtlAnswer>();
  const { command, signKey, waitMs } = request;
  const body = signKey === undefined ? JSON.stringify(command) : await signCommand(command, signKey, messageId, waitMs);
  const outcome = await sendCommand({
    request,
    messageId,
    body,
    onAnswer: (text) => {
      const answer = parseAnswer(text);
      if (answer === undefined || answers.has(answer.box)) return false;
      answers.set(answer.box, answer);
      void print(`${request.json ? JSON.stringify(JSON.parse(text)) : formatAnswer(answer)}\n`);
      return true;
    },
  });
  const missing = missingAnswers(request, answers.size, outcome, messageId);
  if (missing !== undefined) log.error(missing);
  if ([...answers.values()].some(({ ok }) => !ok)) return CTL_EXIT.refused;
  return missing === undefined ? 0 : CTL_EXIT.noAnswer;
}

function missingAnswers(
  request: CtlRequest,
  count: number,
  outcome: SendOutcome,
  messageId: string,
): string | undefined {
  const { routingKey, exchange, answers, waitMs } = request;
  if (count === 0 && outcome === 'unroutable') {
    const [, job] = /\.job\.(\d+)$/.exec(routingKey) ?? [];
    const array = job === undefined ? ',' : `, as ${job}_7 for a task of an array,`;
    return `no box listens on "${routingKey}" of exchange "${exchange}": nothing was sent; is the address right${array} and does the job still run?`;
  }
  if (waitMs === 0 || (count > 0 && (answers === undefined || count >= answers))) return undefined;
  const got = answers === undefined || count === 0 ? 'no answer' : `${count} of ${answers} answers`;
  return `${got} within ${duration(waitMs)}; the command may have been carried out all the same: repeat it with --id ${messageId} to have it answered and not done twice`;
}

/** Resolves with exit status 0 once the text has been taken. */
function print(text: string): Promise<0> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve(0)));
}
