import { Keeper, type KeeperEvent, type Peer } from 'cgroup-utils-native';
import { describeError } from '../errors.js';
import type { Logger } from '../log.js';
import { type Host, type HostedBox, hostBox, type Resumed } from './hosted-box.js';

/** Time in which a connection has to say what it is. */
const HANDSHAKE_MS = 2_000;
/** A keeper sends a few frames in a second; one that sends more is not ours. */
const FRAMES_PER_SEC = 2_000;

export interface PeerHooks {
  /** @returns why this user gets no box now; null if he does */
  readonly whyNot: (uid: number) => string | null;
  /** The connection is a box from now on. */
  readonly hosted: (box: HostedBox) => void;
  /** Answers a tool. */
  readonly ask: (text: string, peer: Peer) => string;
  readonly closed: () => void;
}

/** One connection: a keeper that wants its box served, or a tool that asks. It is trusted no more than its user is. */
export class Connection {
  readonly #peer: Peer;
  readonly #host: Host;
  readonly #log: Logger;
  readonly #hooks: PeerHooks;
  readonly #keeper: Keeper;
  readonly #late: NodeJS.Timeout;
  #hello: Extract<KeeperEvent, { type: 'hello' }> | undefined;
  #origin: Extract<KeeperEvent, { type: 'origin' }> | undefined;
  #hosted: HostedBox | undefined;
  #frames = 0;
  #secondMs = 0;
  #closed = false;

  constructor(peer: Peer, host: Host, hooks: PeerHooks) {
    this.#peer = peer;
    this.#host = host;
    this.#log = host.log;
    this.#hooks = hooks;
    this.#keeper = new Keeper(peer.fd, (event) => this.#onEvent(event), true);
    this.#late = setTimeout(
      () => this.#refuse(`it did not say what it is within ${HANDSHAKE_MS / 1000} s`),
      HANDSHAKE_MS,
    );
  }

  get uid(): number {
    return this.#peer.uid;
  }

  /** Ends the connection. A box goes on, and its keeper looks for the next agent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#late);
    this.#keeper.close();
    this.#hooks.closed();
  }

  #onEvent(event: KeeperEvent): void {
    if (this.#closed) return;
    try {
      if (this.#isFlood()) return this.#refuse(`it sent more than ${FRAMES_PER_SEC} frames in a second`);
      if (this.#hosted !== undefined) return this.#hosted.onKeeper(event);
      this.#handshake(event);
    } catch (error) {
      this.#refuse(describeError(error, this.#host.spec.debug));
    }
  }

  #isFlood(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#secondMs > 1_000) {
      this.#secondMs = nowMs;
      this.#frames = 0;
    }
    return ++this.#frames > FRAMES_PER_SEC;
  }

  #handshake(event: KeeperEvent): void {
    switch (event.type) {
      case 'hello':
        this.#hello = event;
        return;
      case 'origin':
        this.#origin = event;
        return event.resumes ? undefined : this.#serve(null);
      case 'resumed':
        return this.#serve(event);
      case 'ask':
        clearTimeout(this.#late);
        this.#keeper.answer(this.#hooks.ask(event.text, this.#peer));
        return;
      case 'mismatch':
        return this.#refuse(
          `it speaks version ${event.version} of the protocol, and this agent ${event.expected}: proc_box and its agent are not of one installation`,
        );
      case 'gone':
        return this.close();
      default:
        return this.#refuse(`it began with "${event.type}"`);
    }
  }

  /** @param resumed null: the box begins */
  #serve(resumed: Resumed | null): void {
    const hello = this.#hello;
    const origin = this.#origin;
    if (hello === undefined || origin === undefined) return this.#refuse('it did not begin with "hello"');
    const why = this.#hooks.whyNot(this.#peer.uid);
    if (why !== null) return this.#refuse(why);
    clearTimeout(this.#late);
    this.#keeper.welcome();
    const hosted = hostBox(this.#host, { keeper: this.#keeper, hello, origin, resumed, peer: this.#peer }, () =>
      this.close(),
    );
    this.#hosted = hosted;
    if (!this.#closed) this.#hooks.hosted(hosted);
  }

  /** The front end then uses Node instead. */
  #refuse(why: string): void {
    this.#log.warn(`the connection of pid ${this.#peer.pid} (uid ${this.#peer.uid}) is closed: ${why}`);
    this.close();
  }
}
