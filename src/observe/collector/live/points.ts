import { F, POINT_WIDTH } from './figures.js';

/** The points of a box's time line that no chunk of the store holds yet. */

/** A chunk has at most this many points. */
export const CHUNK_POINTS = 32;
const FIRST_CAPACITY = 4;

export class Points {
  #rows = new Float64Array(0);
  #count = 0;

  readonly width = POINT_WIDTH;

  get count(): number {
    return this.#count;
  }

  /** The points, row by row; a view that is valid until the next change. */
  get rows(): Float64Array {
    return this.#rows.subarray(0, this.#count * POINT_WIDTH);
  }

  /**
   * @param figures of a sample
   * @param resolutionMs a point that follows the last one in less than this takes its place
   */
  add(figures: Float64Array, resolutionMs: number): void {
    const last = (this.#count - 1) * POINT_WIDTH;
    const sinceMs = this.#count === 0 ? Number.POSITIVE_INFINITY : figures[F.atMs]! - this.#rows[last + F.atMs]!;
    if (sinceMs >= 0 && sinceMs < resolutionMs) {
      const memoryBytes = Math.max(figures[F.memoryBytes]!, this.#rows[last + F.memoryBytes]!);
      this.#rows.set(figures.subarray(0, POINT_WIDTH), last);
      this.#rows[last + F.memoryBytes] = memoryBytes;
      return;
    }
    if (this.#rows.length < (this.#count + 1) * POINT_WIDTH) this.#grow();
    this.#rows.set(figures.subarray(0, POINT_WIDTH), this.#count++ * POINT_WIDTH);
  }

  /** Removes the first points, which are in a chunk now. */
  remove(count: number): void {
    const left = this.#rows.slice(count * POINT_WIDTH, this.#count * POINT_WIDTH);
    this.#count -= count;
    this.#rows = left;
  }

  #grow(): void {
    const rows = new Float64Array(Math.max(FIRST_CAPACITY, this.#count * 2) * POINT_WIDTH);
    rows.set(this.#rows.subarray(0, this.#count * POINT_WIDTH));
    this.#rows = rows;
  }
}
