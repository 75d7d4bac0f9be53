import { FIGURES_WIDTH } from '../live/figures.js';
import { decodeColumns, encodeColumns } from './columns.js';

/**
 * A record of the journal: what one transaction has added that is in no chunk yet. A collector that starts reads them all, and so
 * has again what its predecessor had in memory.
 */

export interface JournalRecord {
  readonly samples: readonly { readonly box: string; readonly figures: Float64Array }[];
  readonly events: readonly { readonly box: string; readonly sequence: number }[];
}

const WIDTH = FIGURES_WIDTH + 1;

export function encodeRecord({ samples, events }: JournalRecord): Buffer {
  const indexes = new Map<string, number>();
  const indexOf = (box: string) => {
    const known = indexes.get(box);
    if (known !== undefined) return known;
    indexes.set(box, indexes.size);
    return indexes.size - 1;
  };
  const rows = new Float64Array(samples.length * WIDTH);
  for (const [at, { box, figures }] of samples.entries()) {
    rows[at * WIDTH] = indexOf(box);
    rows.set(figures, at * WIDTH + 1);
  }
  const numbers = events.map(({ box, sequence }) => [indexOf(box), sequence]);
  const head = Buffer.from(JSON.stringify({ boxes: [...indexes.keys()], events: numbers }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, encodeColumns(rows, WIDTH)]);
}

/** @throws RangeError or SyntaxError if the bytes are damaged */
export function decodeRecord(bytes: Uint8Array): JournalRecord {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headEnd = 4 + buffer.readUInt32LE(0);
  const head = JSON.parse(buffer.subarray(4, headEnd).toString()) as { boxes: string[]; events: [number, number][] };
  const { width, rows } = decodeColumns(buffer.subarray(headEnd));
  const samples = Array.from({ length: width === 0 ? 0 : rows.length / width }, (_, at) => {
    const figures = new Float64Array(FIGURES_WIDTH).fill(Number.NaN);
    figures.set(rows.subarray(at * width + 1, Math.min((at + 1) * width, at * width + WIDTH)));
    return { box: head.boxes[rows[at * width]!]!, figures };
  });
  return { samples, events: head.events.map(([index, sequence]) => ({ box: head.boxes[index]!, sequence })) };
}
