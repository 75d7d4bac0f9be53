import { EnvironmentError, isEnvironmentError } from '../errors.js';
import { askAgent, type Question } from './ask.js';
import { ownSocket, SITE_SOCKET } from './socket.js';

/** Finds the agent that a tool asks, as native/src/front/agent.cc does for a box. */

type Environment = Readonly<Record<string, string | undefined>>;

/** The value of `--agent` or `PBOX_AGENT`. @param settings `PBOX_*` entries */
export function agentOption(given: string | undefined, settings: readonly string[]): string {
  const name = 'PBOX_AGENT=';
  return given ?? settings.findLast((entry) => entry.startsWith(name))?.slice(name.length) ?? 'auto';
}

/** @param agent `auto`, or the path of a socket @returns the sockets to try, in this order */
export function socketsOf(agent: string, environment: Environment): readonly string[] {
  if (agent !== 'auto') return [agent];
  return environment['XDG_RUNTIME_DIR']?.startsWith('/') ? [SITE_SOCKET, ownSocket(environment)] : [SITE_SOCKET];
}

/** Asks the first agent that answers. @throws EnvironmentError that names every socket if none does */
export async function askFirst(
  sockets: readonly string[],
  question: Question,
): Promise<{ readonly socket: string; readonly answer: unknown }> {
  const errors: Error[] = [];
  for (const socket of sockets) {
    try {
      return { socket, answer: await askAgent(socket, question) };
    } catch (error) {
      if (!isEnvironmentError(error)) throw error;
      errors.push(error as Error);
    }
  }
  throw new EnvironmentError(errors.map(({ message }) => message).join('; '), { cause: errors[0] });
}
