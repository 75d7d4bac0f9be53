import { Listener, type Peer } from 'cgroup-utils-native';
import type { Host, HostedBox } from './hosting.js';
import { type BoxRow, rowOf } from './list.js';
import type { Quotas } from './options.js';
import { Connection } from './peer.js';

/** Connections of a user that are no boxes yet, beside those that are. */
const WAITING_PER_USER = 256;

export interface AgentParts {
  /** The listening socket. */
  readonly fd: number;
  /** Null: it serves every user. */
  readonly onlyUid: number | null;
  readonly quotas: Quotas;
  readonly host: Host;
  /** What `proc_box agent status` prints beside the boxes. */
  readonly status: () => Readonly<Record<string, unknown>>;
  /** The last box has ended, or the last connection. */
  readonly onEmpty: () => void;
}

/** The boxes of a node, and who may see them. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #connections = new Map<Connection, HostedBox | null>();
  readonly #listener: Listener;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#listener = new Listener(parts.fd, (peer) => this.#take(peer));
  }

  get boxes(): number {
    return [...this.#connections.values()].filter((box) => box !== null).length;
  }

  /** Takes no more connections, and lets those go that there are: the boxes go on, and look for the next agent. */
  close(): void {
    this.#listener.close();
    for (const connection of [...this.#connections.keys()]) connection.close();
  }

  #take(peer: Peer): void {
    const { host } = this.#parts;
    const waiting = [...this.#connections].filter(([{ uid }, box]) => uid === peer.uid && box === null).length;
    const connection: Connection = new Connection(peer, host, {
      whyNot: (uid) => this.#whyNot(uid),
      hosted: (box) => this.#connections.set(connection, box),
      ask: (text, { uid }) => this.#answer(text, uid),
      closed: () => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#parts.onEmpty();
      },
    });
    this.#connections.set(connection, null);
    if (waiting < WAITING_PER_USER) return;
    host.log.warn(`uid ${peer.uid} has ${waiting} connections without a box: one more is closed`);
    connection.close();
  }

  #whyNot(uid: number): string | null {
    const { onlyUid, quotas } = this.#parts;
    if (onlyUid !== null && uid !== onlyUid) return `this agent serves only boxes of uid ${onlyUid}`;
    const own = [...this.#connections].filter(([connection, box]) => connection.uid === uid && box !== null).length;
    return own < quotas.boxes ? null : `this user has ${own} boxes here, and may have no more (--boxes-per-user)`;
  }

  #answer(text: string, uid: number): string {
    const own = process.geteuid?.();
    const seesAll = uid === 0 || uid === own;
    if (text === 'list') {
      const visible = [...this.#connections].filter(([connection]) => seesAll || connection.uid === uid);
      return JSON.stringify(visible.flatMap(([, box]) => rowOf(box?.box)) satisfies BoxRow[]);
    }
    if (text !== 'status') return JSON.stringify({ error: 'not a question that this agent knows' });
    const users = new Set(
      [...this.#connections].filter(([, box]) => box !== null).map(([connection]) => connection.uid),
    );
    return JSON.stringify({ ...this.#parts.status(), boxes: this.boxes, users: users.size });
  }
}
