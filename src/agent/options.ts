import { SpecError } from '../errors.js';
import { assembleSpec, type SpecInput } from '../options/assemble.js';
import { naming } from '../options/resolve.js';
import type { BoxSpec } from '../options/spec.js';
import type { OptionName } from '../options/table.js';
import { parseCount, parseSize } from '../options/units.js';
import { isSet, readVerb, type Verb } from '../options/verb-words.js';
import { quote } from '../options/words.js';
import { agentOption, socketsOf } from './find.js';
import { ownSocket, SITE_SOCKET } from './socket.js';

/** The words of `proc_box agent`. */

export const AGENT_HELP = `usage: proc_box agent [options]
       proc_box agent status [--agent <path>] [--json]

Serves every box of this node: one process and one link to the broker instead of one for each box. "proc_box" finds the
agent by its socket, and the job's own processes then need neither Node nor a broker account. docs/agent.md says how a
site sets it up.

Options:
  --socket <path>               where to listen (default /run/proc_box/agent.sock)
  --user                        an agent of your own, for your boxes only, at $XDG_RUNTIME_DIR/proc_box/agent.sock
  --takeover                    take the place of the agent that listens there now
  --allow-root                  run as root all the same
  --boxes-per-user <number>     boxes that a user may have at a time (default 4096)
  --messages-per-user <number>  messages that a user's boxes may publish in a second (default 1000)
  --bytes-per-user <size>       bytes of a user's messages that wait for the broker (default 16M)
  --textfile <path>             write metrics of the boxes to this <name>.prom, for Prometheus' node_exporter
  --agent <path>                status: the agent to ask (default: the site's, or else your own)
  --json                        status: print one JSON object
  --help                        print this text
The broker, the spool and the authorisation are set as for a box: by --uri, --uri-file, --spool-dir, --control-auth and
so on, their PBOX_* variables, or the config file. They are the agent's; users cannot change them.

Exit status:
  0    agent: it was told to end; status: an agent answered
  2    status: no agent answered
  125  an option is wrong, or the socket cannot be used
`;

const OWN = {
  socket: { placeholder: 'path' },
  agent: { placeholder: 'path' },
  user: {},
  takeover: {},
  'allow-root': {},
  'boxes-per-user': { placeholder: 'number', default: '4096' },
  'messages-per-user': { placeholder: 'number', default: '1000' },
  'bytes-per-user': { placeholder: 'size', default: '16M' },
  textfile: { placeholder: 'path' },
  json: {},
  help: {},
} as const;

/** The options of a box that belong to its agent if it has one. */
const OF_BROKER: readonly OptionName[] = [
  'uri',
  'uri-file',
  'exchange',
  'reply-exchange',
  'tls-ca',
  'tls-cert',
  'tls-key',
  'rascal-config',
  'msgtimeout',
  'flush',
  'outbox-messages',
  'outbox-bytes',
  'spool-dir',
  'spool-max-bytes',
  'spool-max-age',
  'control-auth',
  'control-rules',
  'control-keys',
  'audit-log',
  'config',
  'debug',
  'nowarn',
  'quiet',
];

const AGENT: Verb<keyof typeof OWN> = { name: 'proc_box agent', own: OWN, ofBox: OF_BROKER, ends: 'with the words' };

/** What one user may take of the agent. */
export interface Quotas {
  readonly boxes: number;
  readonly messagesPerSec: number;
  readonly bytes: number;
}

export interface AgentOptions {
  readonly verb: 'serve' | 'status';
  readonly socket: string;
  /** The sockets that `status` tries. */
  readonly asked: readonly string[];
  /** Serves only boxes of its own user. */
  readonly own: boolean;
  readonly takeover: boolean;
  readonly allowRoot: boolean;
  readonly json: boolean;
  /** Where to write the figures of the boxes for Prometheus; undefined for nowhere. */
  readonly textfile: string | undefined;
  readonly quotas: Quotas;
  /** The link to the broker. */
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/** @returns null for `--help`. @throws SpecError */
export function parseAgent(
  argv: readonly string[],
  input: Omit<SpecInput, 'words' | 'command' | 'deadline'>,
  environment: Readonly<Record<string, string | undefined>>,
): AgentOptions | null {
  const words = readVerb(argv.slice(2), AGENT);
  const [verb, ...more] = words.rest;
  if (isSet(words, 'help')) return null;
  if ((verb !== undefined && verb !== 'status') || more.length > 0) {
    throw new SpecError(
      `${quote(['agent', ...words.rest].join(' '))} is not a command: expected "agent" with options, or "agent status"`,
    );
  }
  const { spec, warnings } = assembleSpec({
    ...input,
    words: words.forBox,
    command: ['agent'],
    deadline: { scheduler: 'none', remainingMs: null },
  });
  const own = isSet(words, 'user');
  const count = (name: 'boxes-per-user' | 'messages-per-user') =>
    naming(`--${name}`, () => parseCount(words.own.get(name) ?? OWN[name].default, 1, 1_000_000));
  return {
    verb: verb === 'status' ? 'status' : 'serve',
    socket: words.own.get('socket') ?? (own ? ownSocket(environment) : SITE_SOCKET),
    asked:
      words.own.has('socket') || own
        ? [words.own.get('socket') ?? ownSocket(environment)]
        : socketsOf(agentOption(words.own.get('agent'), input.settings), environment),
    own,
    takeover: isSet(words, 'takeover'),
    allowRoot: isSet(words, 'allow-root'),
    json: isSet(words, 'json'),
    textfile: words.own.get('textfile'),
    quotas: {
      boxes: count('boxes-per-user'),
      messagesPerSec: count('messages-per-user'),
      bytes: naming('--bytes-per-user', () =>
        parseSize(words.own.get('bytes-per-user') ?? OWN['bytes-per-user'].default),
      ),
    },
    spec,
    warnings,
  };
}
