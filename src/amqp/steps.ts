const REST_MS = 1_000;

/** Work in the background, one step after another. After a failure it pauses for a second. */
export class Steps {
  readonly #next: () => Promise<void> | undefined;
  readonly #onFailure: (error: Error) => void;
  #busy = false;
  #done: Promise<void> = Promise.resolve();
  /** Set during a pause. */
  #timer: NodeJS.Timeout | undefined;

  /** @param next begins the next step; returns undefined if there is nothing to do */
  constructor(next: () => Promise<void> | undefined, onFailure: (error: Error) => void) {
    this.#next = next;
    this.#onFailure = onFailure;
  }

  /** Call this when there may be something to do. */
  go(): void {
    if (this.#busy || this.#timer !== undefined) return;
    this.#busy = true;
    this.#done = this.#run();
  }

  /** Ends a pause; resolves when nothing is left to do, or a step has failed again. */
  async finish(): Promise<void> {
    await this.#done;
    this.#wake();
    await this.#done;
    clearTimeout(this.#timer);
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.go();
  }

  async #run(): Promise<void> {
    try {
      for (let step = this.#next(); step !== undefined; step = this.#next()) await step;
    } catch (error) {
      this.#timer = setTimeout(() => this.#wake(), REST_MS).unref();
      this.#onFailure(error as Error);
    }
    this.#busy = false;
  }
}
