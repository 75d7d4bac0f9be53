/** Numbers that are reserved at a time. */
const RESERVED = 64;

/** The numbers of a box's messages. They are reserved in blocks, so that none is used twice if another process goes on. */
export class Sequence {
  #last: number;
  #reserved: number;
  readonly #onReserved: () => void;

  /** @param used numbers up to this one may have been used. @param onReserved called before the first number of a block is used */
  constructor(used: number, onReserved: () => void) {
    this.#last = this.#reserved = used;
    this.#onReserved = onReserved;
  }

  next(): number {
    this.#last++;
    if (this.#last > this.#reserved) {
      this.#reserved = this.#last + RESERVED;
      this.#onReserved();
    }
    return this.#last;
  }

  /** Numbers up to this one may have been used. */
  get reserved(): number {
    return this.#reserved;
  }
}
