import { closeSync } from 'node:fs';
import { Listener, type Peer } from 'cgroup-utils-native';
import type { Sample } from '../model/sample.js';
import { type Account, Accounts, ANSWER_BYTES, QUESTIONS_PER_SEC } from './accounts.js';
import type { Host } from './hosting.js';
import { type BoxRow, rowOf } from './list.js';
import type { Quotas } from './options.js';
import { type Answer, Connection } from './peer.js';
import { type Refusal, Refusals } from './refusals.js';

/** Connections of a user that are no boxes yet, beside those that are. */
const WAITING_PER_USER = 256;
/** Of all users together; beyond that, a user has only a few, because one person may have many uids. */
const WAITING = 4_096;
const WAITING_FEW = 8;
/** For those who have just connected, when the agent lets its boxes go. */
const LAST_MS = 50;

const NO_DESCRIPTOR: Refusal = {
  kind: 'descriptors',
  why: 'this agent has no descriptor left: raise its limit of open files (LimitNOFILE=)',
};
const TOO_OFTEN: Refusal = { kind: 'connections', why: 'its user connects more than 2000 times in a second' };

export interface AgentParts {
  /** The listening socket. */
  readonly fd: number;
  /** Null: it serves every user. */
  readonly onlyUid: number | null;
  readonly quotas: Quotas;
  readonly host: Host;
  /** What `proc_box agent status` prints beside the boxes. */
  readonly status: () => Readonly<Record<string, unknown>>;
  /** The next agent listens now. */
  readonly onTakeover: () => void;
}

/** The boxes of a node, and who may see them. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #accounts = new Accounts();
  readonly #connections = new Set<Connection>();
  readonly #refusals: Refusals;
  readonly #listener: Listener;
  readonly #uid = process.geteuid?.() ?? -1;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts.host.log);
    this.#listener = new Listener(
      parts.fd,
      (peer) => this.#take(peer),
      (uid, count) =>
        this.#refusals.tell(
          uid,
          uid === null ? 'a connection' : `a connection of uid ${uid}`,
          uid === null ? NO_DESCRIPTOR : TOO_OFTEN,
          count,
        ),
    );
  }

  get boxes(): number {
    return this.#accounts.boxes;
  }

  /** The last sample of each box. */
  samples(): Sample[] {
    return [...this.#accounts.all()].flatMap(({ boxes }) =>
      [...boxes].flatMap(({ box }) => box?.status().sample ?? []),
    );
  }

  /** Takes no more connections, and lets those go that there are: the boxes go on, and look for the next agent. */
  async close(): Promise<void> {
    this.#listener.drain();
    this.#listener.close();
    if (this.#accounts.waiting > 0) await new Promise((resolve) => setTimeout(resolve, LAST_MS));
    for (const connection of [...this.#connections]) connection.release();
    this.#refusals.flush();
  }

  #take(peer: Peer): void {
    const account = this.#accounts.of(peer.uid);
    const who = `the connection of pid ${peer.pid} (uid ${peer.uid})`;
    const most = this.#accounts.waiting < WAITING ? WAITING_PER_USER : WAITING_FEW;
    if (account.waiting >= most) {
      closeSync(peer.fd);
      const why = `its user has ${account.waiting} connections without a box`;
      return this.#refusals.tell(peer.uid, who, { kind: 'connections', why });
    }
    this.#connect(peer, account, who);
  }

  #connect(peer: Peer, account: Account, who: string): void {
    const accounts = this.#accounts;
    let leave = () => accounts.removeWaiting(account);
    let answerBytes = 0;
    const connection: Connection = new Connection(
      peer,
      { ...this.#parts.host, log: this.#refusals.logFor(peer.uid) },
      {
        whyNot: (uid) => this.#whyNot(uid, account),
        isFlood: () => !account.frames.take(performance.now()),
        hosted: (box) => {
          leave();
          accounts.addBox(account, box);
          leave = () => accounts.removeBox(account, box);
        },
        ask: (text, { uid }) => {
          const answer = this.#answer(text, uid, account);
          if ('text' in answer) {
            answerBytes += answer.text.length;
            account.answerBytes += answer.text.length;
          }
          return answer;
        },
        refused: (refusal) => this.#refusals.tell(peer.uid, who, refusal),
        closed: () => {
          this.#connections.delete(connection);
          account.answerBytes -= answerBytes;
          leave();
        },
      },
    );
    this.#connections.add(connection);
    accounts.addWaiting(account);
  }

  #whyNot(uid: number, { boxes }: Account): string | null {
    const { onlyUid, quotas } = this.#parts;
    if (onlyUid !== null && uid !== onlyUid) return `this agent serves only boxes of uid ${onlyUid}`;
    return boxes.size < quotas.boxes
      ? null
      : `this user has ${boxes.size} boxes here, and may have no more (--boxes-per-user)`;
  }

  #answer(text: string, uid: number, account: Account): Answer | Refusal {
    if (!account.questions.take(performance.now())) {
      return { kind: 'questions', why: `its user asks more than ${QUESTIONS_PER_SEC} questions in a second` };
    }
    if (account.answerBytes > ANSWER_BYTES) {
      return { kind: 'questions', why: 'its user has not read the answers to earlier questions' };
    }
    switch (text) {
      case 'list':
        return { text: JSON.stringify(this.#list(uid, account)) };
      case 'status':
        return { text: JSON.stringify(this.#status()) };
      case 'takeover':
        return this.#takeover(uid);
      default:
        return { text: JSON.stringify({ error: 'not a question that this agent knows' }) };
    }
  }

  #isMaster(uid: number): boolean {
    return uid === 0 || uid === this.#uid;
  }

  #list(uid: number, account: Account): BoxRow[] {
    const accounts = this.#isMaster(uid) ? this.#accounts.all() : [account];
    return [...accounts].flatMap(({ boxes }) => [...boxes].flatMap(({ box }) => rowOf(box)));
  }

  #status(): Readonly<Record<string, unknown>> {
    const { boxes, users, waiting } = this.#accounts;
    // The connection that asks is not counted.
    return {
      ...this.#parts.status(),
      uid: this.#uid,
      boxes,
      users,
      waiting: waiting - 1,
      refused: this.#refusals.total,
    };
  }

  #takeover(uid: number): Answer {
    if (!this.#isMaster(uid)) return { text: JSON.stringify({ error: `uid ${uid} may not end this agent` }) };
    return { text: JSON.stringify({ pid: process.pid }), next: this.#parts.onTakeover };
  }
}
