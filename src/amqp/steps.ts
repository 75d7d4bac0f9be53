const REST_MS = 1_000;

/** Work that is done a step at a time, beside everything else. After a failure it rests for a while. */
export class Steps {
  readonly #next: () => Promise<void> | undefined;
  readonly #onFailure: (error: Error) => void;
  #busy = false;
  #done: Promise<void> = Promise.resolve();
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param next takes the next step; undefined where there is nothing to do */
  constructor(next: () => Promise<void> | undefined, onFailure: (error: Error) => void) {
    this.#next = next;
    this.#onFailure = onFailure;
  }

  /** There may be something to do. */
  go(): void {
    if (this.#busy || performance.now() - this.#failedAtMs < REST_MS) return;
    this.#busy = true;
    this.#done = this.#run();
  }

  /** Rests no more, and resolves when nothing is left to do, or the next step has failed as well. */
  async finish(): Promise<void> {
    await this.#done;
    clearTimeout(this.#timer);
    this.#failedAtMs = Number.NEGATIVE_INFINITY;
    this.go();
    await this.#done;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    try {
      for (let step = this.#next(); step !== undefined; step = this.#next()) await step;
    } catch (error) {
      this.#failedAtMs = performance.now();
      this.#timer = setTimeout(() => this.go(), REST_MS).unref();
      this.#onFailure(error as Error);
    }
    this.#busy = false;
  }
}
