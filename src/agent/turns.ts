/** Work of boxes that run waits no longer than this for boxes that begin. */
const PATIENCE_MS = 50;
/** Pieces of work that are done before the event loop has its turn. */
const SLICE = 16;

/**
 * The order of an agent's work. Boxes begin one after the other, each in a turn of the event loop of its own, and what else there is
 * to do about boxes that run comes after them: so the jobs of many boxes start soon.
 */
export class Turns {
  #begins: (() => Promise<void>)[] = [];
  #next = 0;
  /** Boxes that have begun, and have not started their job yet. */
  #beginning = 0;
  /** Nobody waits for longer than this for them: a keeper may never answer. */
  #waitUntilMs = 0;
  #later: (() => void)[] = [];
  #patience: NodeJS.Timeout | undefined;
  #scheduled = false;

  /** @param begin settles when the job has been started, or cannot be */
  begin(begin: () => Promise<void>): void {
    this.#begins.push(begin);
    if (this.#begins.length === 1) setImmediate(() => this.#turn());
  }

  /** Does the work at once if no box begins, otherwise in its order once they have begun, or after 50 ms. */
  after(work: () => void): void {
    if (this.#later.length === 0 && !this.#isBusy) return work();
    this.#later.push(work);
    this.#waitAtMost(PATIENCE_MS);
  }

  /** Does all the work that waits for boxes that begin. */
  flush(): void {
    while (this.#later.length > 0) this.#slice();
  }

  #waitAtMost(ms: number): void {
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      try {
        this.flush();
      } finally {
        if (this.#later.length > 0) this.#waitAtMost(0);
      }
    }, ms);
  }

  get #isBusy(): boolean {
    return this.#begins.length > 0 || (this.#beginning > 0 && performance.now() < this.#waitUntilMs);
  }

  #turn(): void {
    const begin = this.#begins[this.#next++] as () => Promise<void>;
    if (this.#next < this.#begins.length) setImmediate(() => this.#turn());
    else {
      this.#begins = [];
      this.#next = 0;
    }
    this.#beginning++;
    this.#waitUntilMs = performance.now() + PATIENCE_MS;
    const begun = () => {
      this.#beginning--;
      if (!this.#isBusy) this.#schedule();
    };
    begin().then(begun, (error) => {
      begun();
      throw error; // not foreseen: the agent's handler logs it
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#later.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      try {
        if (!this.#isBusy) this.#slice();
      } finally {
        if (!this.#isBusy) this.#schedule();
      }
    });
  }

  /** Work that throws does not keep the rest from being done. */
  #slice(): void {
    const works = this.#later;
    let done = 0;
    try {
      while (done < Math.min(SLICE, works.length)) works[done++]?.();
    } finally {
      this.#later = works.slice(done);
      if (this.#later.length === 0) {
        clearTimeout(this.#patience);
        this.#patience = undefined;
      }
    }
  }
}
