import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { askAgent } from '../../agent/ask.js';
import { agentOption, socketsOf } from '../../agent/find.js';
import { SITE_SOCKET } from '../../agent/socket.js';
import type { AgentStatus } from '../../agent/status.js';
import { counted } from '../../options/amounts.js';
import { splitOption } from '../../options/command-line.js';
import { fail, pass, type Row, warn } from './row.js';

/** Whether a box that is started here would be served by a node agent. */

const NAME = 'agent';
/** Options that name a broker: a box with one has a link of its own. native/src/front/options.cc knows them as well. */
const OF_BROKER = ['uri', 'uri-file', 'rascal-config'];

export interface AgentInput {
  /** The options of the box, each as one word. */
  readonly words: readonly string[];
  /** `PBOX_*` entries. */
  readonly settings: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly uid: number;
}

/** Never rejects. */
export async function agentRow({ words, settings, environment, version, uid }: AgentInput): Promise<Row> {
  const given = words.map(splitOption).findLast((word) => word?.name === 'agent')?.value;
  const agent = agentOption(given, settings);
  if (agent === 'none') return pass(NAME, 'not used (--agent none)');
  const broker = agent === 'auto' ? namedBroker(words, settings) : undefined;
  if (broker !== undefined)
    return pass(NAME, `not used, because ${broker} is given: the box has a link to the broker of its own, or none`);
  const problems: string[] = [];
  for (const socket of socketsOf(agent, environment)) {
    const found = await tryAgent(socket, agent === 'auto', uid);
    if (typeof found !== 'string') return rowOf(socket, found, version);
    problems.push(`${socket}: ${found}`);
  }
  if (agent !== 'auto') return fail(NAME, problems.join('; '), 'start "proc_box agent --socket" with this path');
  const evidence = problems.join('; ');
  return problems.every((problem) => problem.endsWith(NO_SOCKET))
    ? pass(NAME, `none: ${evidence}; each box has a Node of its own`)
    : warn(NAME, `none that may be used: ${evidence}`, 'docs/agent.md says how a site sets one up');
}

function namedBroker(words: readonly string[], settings: readonly string[]): string | undefined {
  const option = OF_BROKER.find((name) => words.some((word) => splitOption(word)?.name === name));
  if (option !== undefined) return `--${option}`;
  const variables = OF_BROKER.map((name) => `PBOX_${name.replaceAll('-', '_').toUpperCase()}`);
  return variables.find((name) => settings.some((entry) => entry.startsWith(`${name}=`)));
}

const NO_SOCKET = 'no such socket';

/** @returns why it is not used. @param isFound it was not named by the user */
async function tryAgent(socket: string, isFound: boolean, uid: number): Promise<AgentStatus | string> {
  try {
    lstatSync(socket);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? NO_SOCKET : `${code}`;
  }
  const unsafe = isFound && socket === SITE_SOCKET ? unsafeFolder(socket) : undefined;
  if (unsafe !== undefined) return unsafe;
  let status: AgentStatus;
  try {
    status = (await askAgent(socket, 'status')) as AgentStatus;
  } catch (error) {
    return (error as Error).message;
  }
  if (!isFound) return status;
  const owner = socket === SITE_SOCKET ? lstatSync(dirname(socket)).uid : uid;
  return status.uid === owner || owner === 0 ? status : `it runs as uid ${status.uid}, and not as ${owner}`;
}

/** As is_made_by_site() of native/src/proc/unix_socket.cc decides. */
function unsafeFolder(socket: string): string | undefined {
  const folder = dirname(socket);
  const [own, above] = [lstatSync(folder), lstatSync(dirname(folder))];
  if (!own.isDirectory() || !above.isDirectory()) return `${folder} is not a folder but a link`;
  if ((own.mode & 0o022) !== 0) return `others than its owner may write in ${folder}`;
  return above.uid !== 0 || (above.mode & 0o022) !== 0 ? `others than root may write in ${dirname(folder)}` : undefined;
}

function rowOf(socket: string, status: AgentStatus, version: string): Row {
  const { pid, boxes, users } = status;
  const text = `proc_box ${status.version} at ${socket}, pid ${pid}, ${counted(boxes, 'box', 'boxes')} of ${counted(users, 'user')}`;
  return status.version === version
    ? pass(NAME, text)
    : warn(NAME, `${text}; this is ${version}`, 'restart the agent: systemctl restart proc_box-agent');
}
