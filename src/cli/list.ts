import { userName } from 'cgroup-utils-native';
import { agentOption, askFirst, socketsOf } from '../agent/find.js';
import type { BoxRow } from '../agent/list.js';
import { EXIT } from '../box/outcome.js';
import { describeError, isEnvironmentError, SpecError } from '../errors.js';
import { createLogger } from '../log.js';
import { isSet, readVerb, type Verb } from '../options/verb-words.js';
import { quote } from '../options/words.js';
import { print } from '../print.js';
import { printableJson } from '../text.js';
import type { CtlInput } from './ctl/options.js';
import { listText } from './list-text.js';

const HELP = `usage: proc_box list [--agent <path>] [--user <name>] [--job <id>] [--json]

Shows the boxes that the agent of this node serves: your own, or all of them to root and the agent's user.
TIME is the wall clock time and its limit; MEMORY is what the box uses now, its peak, and its limit.

Options:
  --agent <path>   the agent's socket (default: that of the site, or else your own)
  --user <name>    only boxes of this user
  --job <id>       only boxes of this job
  --json           print a JSON array; docs/agent.md describes its fields
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
    const sockets = socketsOf(agentOption(own.get('agent'), input.settings), process.env);
    const rows = ((await askFirst(sockets, 'list')).answer as BoxRow[]).filter(
      ({ user, job }) => (own.get('user') ?? user) === user && (own.get('job') ?? job) === job,
    );
    return print(isSet(words, 'json') ? `${printableJson(rows)}\n` : listText(rows, userName()));
  } catch (error) {
    log.error(describeError(error, input.debug));
    return isEnvironmentError(error) ? NO_AGENT : EXIT.failed;
  }
}
