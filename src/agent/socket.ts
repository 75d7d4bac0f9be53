import { SpecError } from '../errors.js';

/** Where agents listen; native/src/front/agent.cc knows it as well. */
export const SITE_SOCKET = '/run/proc_box/agent.sock';

/** Where the agent of a user listens. @throws SpecError */
export function ownSocket({ XDG_RUNTIME_DIR: folder }: Readonly<Record<string, string | undefined>>): string {
  if (folder?.startsWith('/')) return `${folder}/proc_box/agent.sock`;
  throw new SpecError('XDG_RUNTIME_DIR is not set: name the socket with --socket');
}
