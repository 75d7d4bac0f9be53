/** Work that takes turns: each piece begins once the one before has ended, however that ended. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns the result of `work`; rejects as it does */
  do<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work);
    // Only the order counts here. Whoever asked for the work gets its error from `done`.
    this.#last = Promise.allSettled([done]);
    return done;
  }
}
