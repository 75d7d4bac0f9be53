/**
 * Does one piece of work for each turn of the event loop, in order. What else is due comes in between: an agent can welcome many
 * boxes at once before it starts the first of them, and boxes that run do not wait for boxes that begin.
 */
export class Turns {
  #work: (() => void)[] = [];
  #next = 0;

  add(work: () => void): void {
    this.#work.push(work);
    if (this.#work.length === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    const work = this.#work[this.#next++] as () => void;
    if (this.#next < this.#work.length) setImmediate(() => this.#turn());
    else {
      this.#work = [];
      this.#next = 0;
    }
    work();
  }
}
