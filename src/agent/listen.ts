import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { listenUnix } from 'cgroup-utils-native';
import { EnvironmentError, isEnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import { askAgent } from './ask.js';
import type { AgentOptions } from './options.js';

/** The socket on which an agent listens. */

const REFUSED: Readonly<Record<string, string>> = {
  'open to others': 'others may write in its folder: make it one with mode 0755 (or 0700 with --user)',
  'not ours': 'its folder belongs to another user: make one for the user of the agent',
  'a link': 'its folder is a symbolic link: name the folder itself',
  'not a socket': 'something that is not a socket has this name: remove it or name another socket',
};
const FAILED: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another agent listens there; --takeover takes its place',
  ENOENT: 'its folder does not exist: make it (docs/agent.md)',
  ENOTDIR: 'its folder is not a folder',
  EACCES: 'this user may not make a socket in its folder: make one for the user of the agent (docs/agent.md)',
  ENAMETOOLONG: 'the path is too long for a socket: at most 107 characters',
};

/** @returns the descriptor. @throws EnvironmentError */
export function listen({ socket, own }: Pick<AgentOptions, 'socket' | 'own'>, replace = false): number {
  try {
    if (own) makeFolder(dirname(socket));
    return listenUnix(socket, !own, replace);
  } catch (error) {
    const { code = '', refused = '' } = error as NodeJS.ErrnoException & { refused?: string };
    throw new EnvironmentError(`--socket ${socket}: ${REFUSED[refused] ?? FAILED[code] ?? code}`, { cause: error });
  }
}

/** The folder of a user's own agent. Whatever is there already is judged by `listenUnix`. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Takes the place of the agent that listens there, if there is one: from one moment to the next, whoever connects finds this
 * one. The other then lets its boxes go, and ends.
 * @returns the descriptor. @throws EnvironmentError
 */
export async function takeOver(options: Pick<AgentOptions, 'socket' | 'own'>, log: Logger): Promise<number> {
  const { socket } = options;
  const before = await present(socket);
  if (before === null) return listen(options);
  const own = process.geteuid?.() ?? -1;
  if (own !== 0 && own !== before.uid) {
    throw new EnvironmentError(
      `--takeover ${socket}: the agent there runs as uid ${before.uid}, and this one as ${own}`,
    );
  }
  let fd = -1;
  // Asked before, the other agent would turn boxes away that this one does not hear of yet.
  const answer = await askAgent(socket, 'takeover', () => {
    fd = listen(options, true);
  }).catch((error: Error) => error);
  if (fd < 0) throw answer instanceof Error ? answer : new EnvironmentError(`--takeover ${socket}: it does not answer`);
  const { pid, error } = answer as { pid?: number; error?: string };
  if (pid !== undefined) log.info(`the agent with pid ${pid} hands over`);
  else log.warn(`the agent with pid ${before.pid} does not hand over (${error ?? String(answer)}): end it yourself`);
  return fd;
}

/** @returns null if nobody listens there. @throws EnvironmentError if it is not an agent, or hangs */
async function present(socket: string): Promise<{ uid: number; pid: number } | null> {
  try {
    return (await askAgent(socket, 'status')) as { uid: number; pid: number };
  } catch (error) {
    const { code } = (error as Error).cause as NodeJS.ErrnoException;
    if (isEnvironmentError(error) && (code === 'ENOENT' || code === 'ECONNREFUSED')) return null;
    throw error;
  }
}
