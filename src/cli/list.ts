import { userName } from 'cgroup-utils-native';
import { askAgent } from '../agent/ask.js';
import type { BoxRow } from '../agent/list.js';
import { ownSocket, SITE_SOCKET } from '../agent/options.js';
import { EXIT } from '../box/outcome.js';
import { describeError, isEnvironmentError, SpecError } from '../errors.js';
import { createLogger } from '../log.js';
import { amount, duration } from '../options/amounts.js';
import { isSet, readVerb, type Verb } from '../options/verb-words.js';
import { quote } from '../options/words.js';
import { print } from '../print.js';
import { printable, printableJson } from '../text.js';
import type { CtlInput } from './ctl/options.js';

const HELP = `usage: proc_box list [--agent <path>] [--user <name>] [--job <id>] [--json]

Shows the boxes that the agent of this node serves: your own, or all of them to root and the agent's user.

Options:
  --agent <path>   the agent's socket (default: that of the site, or else your own)
  --user <name>    only boxes of this user
  --job <id>       only boxes of this job
  --json           print a JSON array
  --help           print this text

Exit status:
  0    an agent answered
  2    no agent answered
  125  an option is wrong
`;

const OWN = {
  agent: { placeholder: 'path' },
  user: { placeholder: 'name' },
  job: { placeholder: 'id' },
  json: {},
  help: {},
} as const;
const LIST: Verb<keyof typeof OWN> = { name: 'proc_box list', own: OWN, ofBox: [], ends: 'with the words' };
const NO_AGENT = 2;

/** `proc_box list`. Never rejects. @returns the exit status */
export async function runList(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const words = readVerb(input.argv.slice(2), LIST);
    if (isSet(words, 'help')) return print(HELP);
    if (words.rest[0] !== undefined) {
      throw new SpecError(
        `${quote(words.rest[0])} is not an option; usage: proc_box list [--user <name>] [--job <id>] [--json]`,
      );
    }
    const { own } = words;
    const rows = ((await ask(own.get('agent'))) as BoxRow[]).filter(
      ({ user, job }) => (own.get('user') ?? user) === user && (own.get('job') ?? job) === job,
    );
    return print(isSet(words, 'json') ? `${printableJson(rows)}\n` : table(rows));
  } catch (error) {
    log.error(describeError(error, input.debug));
    return isEnvironmentError(error) ? NO_AGENT : EXIT.failed;
  }
}

/** Asks the agent that is named, or else that of the site and then that of the user. */
async function ask(socket: string | undefined): Promise<unknown> {
  if (socket !== undefined) return askAgent(socket, 'list');
  try {
    return await askAgent(SITE_SOCKET, 'list');
  } catch (error) {
    if (!isEnvironmentError(error) || process.env['XDG_RUNTIME_DIR'] === undefined) throw error;
    return askAgent(ownSocket(process.env), 'list');
  }
}

function table(rows: readonly BoxRow[]): string {
  if (rows.length === 0) return `no boxes of ${userName()} here\n`;
  const head = ['BOX', 'JOB', 'USER', 'STATE', 'PID', 'ELAPSED', 'LIMIT', 'MEMORY', 'PEAK', 'MAX', 'CPU%', 'COMMAND'];
  const cells = rows.map((row) => [
    row.box,
    [row.job, row.step, row.task].filter((part) => part !== null).join('.'),
    row.user,
    row.state,
    String(row.pid),
    time(row.elapsed_ms),
    row.limit_ms === null ? '-' : time(row.limit_ms),
    size(row.memory),
    size(row.memory_peak),
    size(row.memory_limit),
    row.cpu_percent === null ? '-' : row.cpu_percent.toFixed(0),
    row.command,
  ]);
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [head, ...cells].map((row) => `${printable(line(row))}\n`).join('');
}

function time(ms: number): string {
  return duration(Math.round(ms / 1000) * 1000);
}

function size(bytes: number | null): string {
  return bytes === null ? '-' : amount(bytes, 'bytes');
}
