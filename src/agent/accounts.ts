import type { HostedBox } from './hosting.js';

/** What each user has of the agent, counted so that no question about it looks at the connections of others. */

/** Counts in a second, from the first thing that is counted. */
class PerSecond {
  #sinceMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(readonly most: number) {}

  /** @returns whether one more is within the bound */
  take(nowMs: number): boolean {
    if (nowMs - this.#sinceMs > 1_000) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    return ++this.#count <= this.most;
  }

  isOver(nowMs: number): boolean {
    return nowMs - this.#sinceMs > 1_000;
  }
}

/** Frames of all connections of a user. A keeper sends about twenty for a short job, and one or two for each sample. */
export const FRAMES_PER_SEC = 20_000;
export const QUESTIONS_PER_SEC = 100;
/** Bytes of answers that the connections of a user may be slow to read. */
export const ANSWER_BYTES = 16 << 20;

export class Account {
  readonly boxes = new Set<HostedBox>();
  /** Connections that are not boxes. */
  waiting = 0;
  /** Of answers on connections that are still open. */
  answerBytes = 0;
  readonly frames = new PerSecond(FRAMES_PER_SEC);
  readonly questions = new PerSecond(QUESTIONS_PER_SEC);

  isIdle(nowMs: number): boolean {
    const quiet = this.frames.isOver(nowMs) && this.questions.isOver(nowMs);
    return quiet && this.boxes.size === 0 && this.waiting === 0;
  }
}

const SWEEP_AT = 1_024;

export class Accounts {
  readonly #byUid = new Map<number, Account>();
  #sweepAt = SWEEP_AT;
  /** Of all users. */
  waiting = 0;
  boxes = 0;
  /** That have boxes. */
  users = 0;

  of(uid: number): Account {
    const known = this.#byUid.get(uid);
    if (known !== undefined) return known;
    const account = new Account();
    this.#byUid.set(uid, account);
    if (this.#byUid.size >= this.#sweepAt) this.#sweep();
    return account;
  }

  all(): Iterable<Account> {
    return this.#byUid.values();
  }

  addWaiting(account: Account): void {
    account.waiting++;
    this.waiting++;
  }

  removeWaiting(account: Account): void {
    account.waiting--;
    this.waiting--;
  }

  addBox(account: Account, box: HostedBox): void {
    if (account.boxes.size === 0) this.users++;
    account.boxes.add(box);
    this.boxes++;
  }

  removeBox(account: Account, box: HostedBox): void {
    if (!account.boxes.delete(box)) return;
    this.boxes--;
    if (account.boxes.size === 0) this.users--;
  }

  /** A user with a range of subordinate uids must not fill the memory with accounts. */
  #sweep(): void {
    const nowMs = performance.now();
    for (const [uid, account] of this.#byUid) if (account.isIdle(nowMs)) this.#byUid.delete(uid);
    this.#sweepAt = Math.max(SWEEP_AT, this.#byUid.size * 2);
  }
}
