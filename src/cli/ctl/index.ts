import { randomHex } from 'cgroup-utils-native';
import { EXIT } from '../../box/outcome.js';
import { describeError, SpecError } from '../../errors.js';
import { createLogger, type Logger } from '../../log.js';
import { duration } from '../../options/amounts.js';
import { findCommand } from '../../options/table/commands.js';
import { minified } from '../../options/verbatim.js';
import { print } from '../../print.js';
import { printable } from '../../text.js';
import { runKeygen } from '../keygen.js';
import { type CtlAnswer, formatAnswer, parseAnswer } from './answer.js';
import { ctlHelp } from './help.js';
import { type CtlInput, type CtlRequest, parseCtl } from './options.js';
import { type SendOutcome, sendCommand } from './send.js';
import { formatTable } from './table.js';

/** Exit statuses of `proc_box ctl` besides 0 and 125; docs/operations.md. */
const CTL_EXIT = { refused: 1, noAnswer: 2 } as const;

/** `proc_box ctl`: sends one command and prints the answers. Never rejects. @returns the exit status */
export async function runCtl(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    if (input.argv[2] === 'keygen') return print(runKeygen(input.argv.slice(3)));
    const parsed = parseCtl(input);
    if (parsed.kind === 'help') return print(ctlHelp());
    for (const warning of parsed.warnings) log.warn(warning);
    if (parsed.requests[0]!.uris.length === 0)
      throw new SpecError('commands go over a broker, but --uri is "none", or its file is missing: give the URI');
    return await send(parsed.requests, log);
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

async function send(requests: readonly CtlRequest[], log: Logger): Promise<number> {
  const { json, command, messageId = `ctl-${randomHex(8)}` } = requests[0]!;
  const answers = new Map<string, CtlAnswer>();
  let printed = 0;
  // A list of boxes is printed as one table at the end, other answers as they come.
  const asTable = !json && findCommand(command.command)?.answer === 'as a row of a table';
  const tabulated = ({ ok }: CtlAnswer) => asTable && ok;
  const onAnswer = (text: string) => {
    const answer = parseAnswer(text);
    if (answer === undefined || answers.has(answer.box)) return false;
    answers.set(answer.box, answer);
    if (!tabulated(answer)) printed = print(`${json ? printable(minified(text)) : formatAnswer(answer)}\n`, printed);
    return true;
  };
  const { outcome, request } = await sendCommand(requests, messageId, onAnswer).finally(() => {
    const rows = [...answers.values()].filter(tabulated);
    if (rows.length > 0) printed = print(formatTable(rows), printed);
  });
  const missing = missingAnswers(request, answers.size, outcome, messageId);
  if (missing !== undefined) log.error(missing);
  if (printed !== 0) return printed;
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
    const array = job === undefined ? '' : ` (${job}_7 for a task of an array)`;
    return `no box listens on "${routingKey}" of exchange "${exchange}": nothing was sent; is the address right${array}, and is the job still running?`;
  }
  if (waitMs === 0 || (count > 0 && (answers === undefined || count >= answers))) return undefined;
  const got = answers === undefined || count === 0 ? 'no answer' : `${count} of ${answers} answers`;
  return `${got} within ${duration(waitMs)}; the command may have been carried out: repeat it with --id ${messageId} to get the answers without carrying it out twice`;
}
