/**
 * The sequence numbers of one box that are in the store. A box numbers its messages without gaps, so they are nearly always one
 * range; a range more stands for messages that are late or lost.
 */

/** Beyond this many ranges the oldest gap closes: what is missing there counts as seen. Only a hostile sender gets there. */
const RANGES_MAX = 1_024;

export class Ranges {
  /** First and last number of each range, in order. */
  readonly #bounds: number[];
  #count: number;

  private constructor(bounds: number[]) {
    this.#bounds = bounds;
    this.#count = 0;
    for (let index = 0; index < bounds.length; index += 2) this.#count += bounds[index + 1]! - bounds[index]! + 1;
  }

  static empty(): Ranges {
    return new Ranges([]);
  }

  /** @param text as `toString` writes it: `1-120,122`. Anything else reads as empty */
  static parse(text: string): Ranges {
    if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return Ranges.empty();
    return new Ranges(
      text.split(',').flatMap((range) => {
        const [from, to = from] = range.split('-').map(Number);
        return [from!, to!];
      }),
    );
  }

  /** How many numbers are in. */
  get count(): number {
    return this.#count;
  }

  /** The highest number; 0 if there is none. */
  get last(): number {
    return this.#bounds.at(-1) ?? 0;
  }

  has(number: number): boolean {
    const index = this.#rangeAt(number);
    return index >= 0 && number <= this.#bounds[index + 1]!;
  }

  /** @returns false if the number was in already */
  add(number: number): boolean {
    const bounds = this.#bounds;
    const end = bounds.length - 1;
    if (end >= 0 && number === bounds[end]! + 1) {
      bounds[end] = number;
      this.#count++;
      return true;
    }
    const index = this.#rangeAt(number);
    if (index >= 0 && number <= bounds[index + 1]!) return false;
    this.#insert(index + 2, number);
    this.#count++;
    if (bounds.length > 2 * RANGES_MAX) this.#closeOldestGap();
    return true;
  }

  toString(): string {
    const texts: string[] = [];
    for (let index = 0; index < this.#bounds.length; index += 2) {
      const [from, to] = [this.#bounds[index]!, this.#bounds[index + 1]!];
      texts.push(from === to ? `${from}` : `${from}-${to}`);
    }
    return texts.join(',');
  }

  /** @returns index of the last range that begins at or before the number; -2 if there is none */
  #rangeAt(number: number): number {
    let [low, high] = [0, this.#bounds.length / 2];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#bounds[middle * 2]! <= number) low = middle + 1;
      else high = middle;
    }
    return (low - 1) * 2;
  }

  /** @param at index of the range after the number */
  #insert(at: number, number: number): void {
    const bounds = this.#bounds;
    const joinsBefore = at > 0 && bounds[at - 1] === number - 1;
    const joinsAfter = at < bounds.length && bounds[at] === number + 1;
    if (joinsBefore && joinsAfter) bounds.splice(at - 1, 2);
    else if (joinsBefore) bounds[at - 1] = number;
    else if (joinsAfter) bounds[at] = number;
    else bounds.splice(at, 0, number, number);
  }

  #closeOldestGap(): void {
    const [, to, from] = this.#bounds;
    this.#count += from! - to! - 1;
    this.#bounds.splice(1, 2);
  }
}
