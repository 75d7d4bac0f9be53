/** What an agent needs beside its keepers: its socket, its service manager, and its messages to front ends. */

/** A message of an agent for the front end of a box. */
export type FrontMessage =
  /** The box is over. @param first exit status @param second the signal to die of; 0: none */
  | { readonly type: 'outcome'; readonly first: number; readonly second: number }
  /** The agent has acted on a signal. @param first its number */
  | { readonly type: 'heard'; readonly first: number }
  /** By then (CLOCK_MONOTONIC, ms) every process of the box must have ended; 0: no bound. */
  | { readonly type: 'bound'; readonly ms: number }
  /** How long to wait for an agent at the end, ms. */
  | { readonly type: 'flush'; readonly ms: number }
  /** Text for stderr. */
  | { readonly type: 'say'; readonly text: string }
  /** The job has been stopped on its terminal. @param first the signal; if no shell could resume the front end, ^Z is undone */
  | { readonly type: 'stop_group'; readonly first: number }
  /** The adopted process is in its box: a front end that was told to `--detach` ends. */
  | { readonly type: 'boxed' }
  /** For the time without an agent. @param first stop signal @param second 1: linger, 2: reraise @param ms the grace period */
  | { readonly type: 'rules'; readonly first: number; readonly second: number; readonly ms: number };

/** The version in the head of each frame between keepers, tools and agents: native/src/wire/protocol.h. */
export const agentVersion: number;

/** One connection to an agent, as the kernel describes its other end: SO_PEERCRED. */
export interface Peer {
  readonly fd: number;
  /** 0: in another PID namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Takes connections on a listening Unix socket. */
export class Listener {
  /**
   * Takes over `fd`.
   * @param onPeer gets each connection, and owns its descriptor
   * @param onClosed connections were closed at once: of a user who connects too often, or, with null, because this process
   *   has no descriptor left
   */
  constructor(fd: number, onPeer: (peer: Peer) => void, onClosed: (uid: number | null, count: number) => void);
  /** Takes everybody who has connected so far, before `close`. */
  drain(): void;
  close(): void;
}

/**
 * Listens on a Unix socket in a folder that only this user or root may write.
 * @param shown everybody may connect; otherwise only this user may enter the folder
 * @param replace takes the place of the process that listens there, if any, in one step
 * @returns the descriptor
 * @throws Error with code and `refused`: what is wrong with its folder (`open to others`, `not ours`, `a link`) or with what
 *   has its name now (`not a socket`), or empty
 */
export function listenUnix(path: string, shown: boolean, replace: boolean): number;

/** Whether the descriptor is a socket that listens. */
export function isListening(fd: number): boolean;

/** sd_notify(3). @param socket NOTIFY_SOCKET; `@` begins an abstract one. @throws Error with code */
export function notifyService(socket: string, text: string): void;
