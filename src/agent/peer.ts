import { Keeper, type KeeperEvent, type Peer } from 'cgroup-utils-native';
import type { ShownProcess } from '../adopt/main-process.js';
import { describeError } from '../errors.js';
import { createLogger } from '../log.js';
import { hostAdoption } from './hosted-adoption.js';
import { hostBox } from './hosted-box.js';
import type { Host, HostedBox, Resumed } from './hosting.js';
import type { Refusal, RefusalKind } from './refusals.js';

/** Time in which a connection has to say what it is, and a tool has to read its answer. */
const HANDSHAKE_MS = 2_000;
/** Words and variables that a keeper sends; all of them may have so many characters. */
const WORDS = 4_096;
const CHARACTERS = 512 << 10;

/** An answer to a tool. */
export interface Answer {
  readonly text: string;
  /** What follows once it has been sent. */
  readonly next?: () => void;
}

export interface PeerHooks {
  /** @returns why this user gets no box now; null if he does */
  readonly whyNot: (uid: number) => string | null;
  /** @returns whether the user's connections send too much */
  readonly isFlood: () => boolean;
  /** The connection is a box from now on. */
  readonly hosted: (box: HostedBox) => void;
  /** Answers a tool. */
  readonly ask: (text: string, peer: Peer) => Answer | Refusal;
  readonly refused: (refusal: Refusal) => void;
  readonly closed: () => void;
}

/** Types that no keeper sends to an agent that serves its box. */
const STRANGE: ReadonlySet<KeeperEvent['type'] | 'agent' | 'to_front'> = new Set([
  ...(['hello', 'origin', 'resumed', 'ask', 'mismatch', 'unknown'] as const),
  ...(['agent', 'to_front'] as const),
]);

/** One connection: a keeper that wants its box served, or a tool that asks. It is trusted no more than its user is. */
export class Connection {
  readonly #peer: Peer;
  readonly #host: Host;
  readonly #hooks: PeerHooks;
  readonly #keeper: Keeper;
  #late: NodeJS.Timeout;
  #hello: Extract<KeeperEvent, { type: 'hello' }> | undefined;
  #origin: Extract<KeeperEvent, { type: 'origin' }> | undefined;
  /** Of the process that is adopted. */
  #shown: ShownProcess | undefined;
  #hosted: HostedBox | undefined;
  #answered = false;
  #closed = false;

  constructor(peer: Peer, host: Host, hooks: PeerHooks) {
    this.#peer = peer;
    this.#host = host;
    this.#hooks = hooks;
    this.#keeper = new Keeper(peer.fd, (event) => this.#onEvent(event), true);
    this.#late = setTimeout(
      () => this.#refuse('late', `it did not say what it is within ${HANDSHAKE_MS / 1000} s`),
      HANDSHAKE_MS,
    );
  }

  get #adopts(): boolean {
    return this.#hello?.verb === 'adopt';
  }

  get uid(): number {
    return this.#peer.uid;
  }

  /** Ends the connection. A box goes on, and its keeper looks for the next agent. */
  release(): void {
    this.#hosted?.released();
    this.close();
  }

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
      if (event.type === 'gone') return this.#gone(event);
      if (this.#hooks.isFlood()) return this.#refuse('flood', 'its user sends too many frames');
      if (this.#hosted === undefined) return this.#handshake(event);
      if (STRANGE.has(event.type)) return this.#refuse('order', `it sent "${event.type}" for a box that is served`);
      this.#hosted.onKeeper(event);
    } catch (error) {
      this.#refuse('error', describeError(error, this.#host.spec.debug));
    }
  }

  /** A tool that has its answer, or one that changes its mind, closes the connection. */
  #gone(event: Extract<KeeperEvent, { type: 'gone' }>): void {
    const { fault = '' } = event;
    if (fault !== '') return this.#refuse(fault.includes('read') ? 'unread' : 'cut', fault);
    this.#hosted?.onKeeper(event);
    this.close();
  }

  #handshake(event: KeeperEvent): void {
    if (this.#answered) return this.#refuse('order', 'it sent more than one question');
    switch (event.type) {
      case 'hello':
        if (this.#hello !== undefined) return this.#refuse('order', 'it sent "hello" twice');
        if (isTooMuch([...event.argv, ...event.settings])) return this.#refuse('too much', 'its "hello" is too long');
        this.#hello = event;
        return;
      case 'origin':
        if (this.#hello === undefined) return this.#refuse('order', 'it did not begin with "hello"');
        if (this.#origin !== undefined) return this.#refuse('order', 'it sent "origin" twice');
        if (event.children.length > WORDS || isTooMuch(event.environment)) {
          return this.#refuse('too much', 'its "origin" is too long');
        }
        this.#origin = event;
        return event.resumes || this.#adopts ? undefined : this.#serve(null);
      case 'process':
        this.#shown = event;
        return this.#origin?.resumes === false ? this.#serve(null) : undefined;
      case 'resumed':
        return this.#serve(event);
      case 'ask':
        return this.#answer(event.text);
      case 'mismatch':
        return this.#refuse(
          'version',
          `it speaks version ${event.version} of the protocol, and this agent ${event.expected}: proc_box and its agent are not of one installation`,
        );
      case 'unknown':
        return this.#refuse('order', `it began with a frame of type ${event.number}, which this version does not know`);
      default:
        return this.#refuse('order', `it began with "${event.type}"`);
    }
  }

  /** @param resumed null: the box begins */
  #serve(resumed: Resumed | null): void {
    const hello = this.#hello;
    const origin = this.#origin;
    if (hello === undefined || origin === undefined) return this.#refuse('order', 'it did not begin with "hello"');
    const shown = this.#shown;
    if (this.#adopts !== (shown !== undefined))
      return this.#refuse('order', 'it does not tell of the process that it adopts');
    const why = this.#hooks.whyNot(this.#peer.uid);
    if (why !== null) {
      // The front end then uses a Node of the box's own.
      createLogger('warn', { write: (text) => this.#keeper.toFront({ type: 'say', text }) }).warn(
        `the node agent does not serve this box: ${why}`,
      );
      return this.#refuse('boxes', why);
    }
    clearTimeout(this.#late);
    this.#keeper.welcome();
    const told = { keeper: this.#keeper, hello, origin, resumed, peer: this.#peer };
    const ended = () => this.close();
    const hosted =
      shown === undefined ? hostBox(this.#host, told, ended) : hostAdoption(this.#host, { ...told, shown }, ended);
    this.#hosted = hosted;
    if (!this.#closed) this.#hooks.hosted(hosted);
  }

  #answer(text: string): void {
    const answer = this.#hooks.ask(text, this.#peer);
    if ('kind' in answer) return this.#refuse(answer.kind, answer.why);
    this.#answered = true;
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#refuse('unread', 'it does not read its answer'), HANDSHAKE_MS);
    this.#keeper.answer(answer.text);
    answer.next?.();
  }

  /** A front end whose box has not started uses Node instead. */
  #refuse(kind: RefusalKind, why: string): void {
    if (this.#closed) return;
    this.#hooks.refused({ kind, why });
    this.#hosted?.onKeeper({ type: 'gone' });
    this.close();
  }
}

function isTooMuch(words: readonly string[]): boolean {
  return words.length > WORDS || words.reduce((sum, word) => sum + word.length, 0) > CHARACTERS;
}
