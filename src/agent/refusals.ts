import type { Logger } from '../log.js';
import { counted } from '../options/amounts.js';

/** Why a connection is ended. `what` is the same for all refusals of one kind, and `why` says it of this one. */
export interface Refusal {
  readonly kind: RefusalKind;
  readonly why: string;
}

export type RefusalKind =
  | 'box'
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
    this.#say(uid, kind, `${who} is closed: ${why}`, count);
  }

  /** A log for what a user's boxes cause: their lines are bounded in the same way. */
  logFor(uid: number): Logger {
    const log = this.#log;
    const say = (line: string) => this.#say(uid, 'box', line, 1);
    return { error: say, warn: say, info: (line) => log.debug(line), debug: (line) => log.debug(line) };
  }

  #say(uid: number | null, kind: RefusalKind, line: string, count: number): void {
    const key = `${uid} ${kind}`;
    const told = this.#told.get(key);
    if (told !== undefined) told.more += count;
    else if (this.#told.size >= LINES) this.#untold += count;
    else {
      this.#told.set(key, { uid, kind, more: count - 1 });
      this.#log.warn(line);
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
      this.#log.warn(`${counted(more, 'more line')} as this${whose} within a minute (${kind})`);
    }
    if (this.#untold > 0) this.#log.warn(`${counted(this.#untold, 'more line')} as these within a minute`);
    this.#told.clear();
    this.#untold = 0;
  }
}
