import type { Logger } from '../log.js';
import { counted } from '../options/amounts.js';

/** Why a connection is ended. `what` is the same for all refusals of one kind, and `why` says it of this one. */
export interface Refusal {
  readonly kind: RefusalKind;
  readonly why: string;
}

export type RefusalKind =
  | 'boxes'
  | 'connections'
  | 'cut'
  | 'descriptors'
  | 'error'
  | 'flood'
  | 'late'
  | 'order'
  | 'questions'
  | 'too much'
  | 'unread'
  | 'version';

const QUIET_MS = 60_000;
/** Lines in that time, whoever is refused: a user may have many uids. */
const LINES = 200;

interface Told {
  readonly uid: number | null;
  readonly kind: RefusalKind;
  more: number;
}

/** The lines of the log about connections that were ended: one for a user and kind in a minute, and later how many more. */
export class Refusals {
  /** Connections ended so far. */
  total = 0;
  readonly #log: Logger;
  readonly #quietMs: number;
  readonly #told = new Map<string, Told>();
  #untold = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, quietMs = QUIET_MS) {
    this.#log = log;
    this.#quietMs = quietMs;
  }

  /** @param uid null if it is not known @param who names the connection @param count of connections */
  tell(uid: number | null, who: string, { kind, why }: Refusal, count = 1): void {
    this.total += count;
    const key = `${uid} ${kind}`;
    const told = this.#told.get(key);
    if (told !== undefined) told.more += count;
    else if (this.#told.size >= LINES) this.#untold += count;
    else {
      this.#told.set(key, { uid, kind, more: count - 1 });
      this.#log.warn(`${who} is closed: ${why}`);
    }
    this.#timer ??= setTimeout(() => this.flush(), this.#quietMs).unref();
  }

  /** Says how many more there were, and forgets them. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { uid, kind, more } of this.#told.values()) {
      if (more === 0) continue;
      const whose = uid === null ? '' : ` of uid ${uid}`;
      this.#log.warn(
        `${counted(more, 'more connection')}${whose} closed within a minute for the same reason (${kind})`,
      );
    }
    if (this.#untold > 0) this.#log.warn(`${counted(this.#untold, 'more connection')} closed within a minute`);
    this.#told.clear();
    this.#untold = 0;
  }
}
