import { isListening, notifyService } from 'cgroup-utils-native';
import type { Logger } from '../log.js';

/** This process as a service of systemd, or of anything else that speaks sd_notify(3) and sd_listen_fds(3). */

/** The descriptor of the socket on which systemd listens for us; native/src/front/node.cc puts it there. */
const LISTENER_FD = 6;

export interface Service {
  /** The socket on which systemd listens for us; null: we listen ourselves. */
  readonly listener: number | null;
  /** Tells systemd, if it has started us. Never throws. @returns whether it has been told */
  readonly notify: (state: ServiceState, status: string) => boolean;
}

export type ServiceState = 'READY=1' | 'STOPPING=1' | '';

type Environment = Readonly<Record<string, string | undefined>>;

/** @param parent of this process: the front end, which is the process that systemd knows */
export function serviceOf(environment: Environment, parent: number, log: Logger): Service {
  const { NOTIFY_SOCKET: socket = '', LISTEN_FDS: count, LISTEN_PID: pid } = environment;
  const listens = pid === `${parent}` && Number(count) > 0 && isListening(LISTENER_FD);
  return {
    listener: listens ? LISTENER_FD : null,
    notify: (state, status) => {
      if (socket === '') return false;
      try {
        notifyService(socket, `${state}${state === '' ? '' : '\n'}STATUS=${status}`);
        return true;
      } catch (error) {
        log.warn(`tell systemd "${state || status}": ${(error as Error).message}`);
        return false;
      }
    },
  };
}
