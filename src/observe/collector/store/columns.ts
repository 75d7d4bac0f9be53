/**
 * A compact form of a table of numbers: column by column, each value as the difference from the one before, in as few bytes as
 * it needs. Values are rounded to whole numbers between 0 and VALUE_MAX; NaN stands for an unknown value and comes back as NaN.
 */

/** Largest value: differences between values must stay exact. Sizes of 4 PB and times of 140,000 years are far below it. */
export const VALUE_MAX = 2 ** 52 - 1;
/** A number of seven bits needs one byte, of fourteen bits two, and so on up to this many. */
const VARINT_MAX_BYTES = 8;

/** @param rows the values of the first row, then those of the second, ... */
export function encodeColumns(rows: Float64Array, width: number): Buffer {
  const height = rows.length / width;
  const buffer = Buffer.allocUnsafe(rows.length * VARINT_MAX_BYTES + 2 * VARINT_MAX_BYTES);
  let at = writeVarint(buffer, 0, width);
  at = writeVarint(buffer, at, height);
  for (let column = 0; column < width; column++) {
    let before = 0;
    for (let row = 0; row < height; row++) {
      const value = rows[row * width + column]!;
      if (Number.isNaN(value)) {
        buffer[at++] = 0;
        continue;
      }
      const whole = Math.round(Math.min(Math.max(value, 0), VALUE_MAX));
      const difference = whole - before;
      // Zigzag: small differences of either sign become small numbers. 0 is taken for NaN.
      at = writeVarint(buffer, at, difference >= 0 ? difference * 2 + 1 : -difference * 2);
      before = whole;
    }
  }
  return Buffer.from(buffer.subarray(0, at));
}

export interface Columns {
  readonly width: number;
  readonly rows: Float64Array;
}

/** @throws RangeError if the bytes are not what `encodeColumns` has made */
export function decodeColumns(bytes: Uint8Array): Columns {
  const reader = { bytes, at: 0 };
  const width = readVarint(reader);
  const height = readVarint(reader);
  // Every value takes at least a byte.
  if (width * height > bytes.length) throw new RangeError('a time line in the store is damaged');
  const rows = new Float64Array(width * height);
  for (let column = 0; column < width; column++) {
    let before = 0;
    for (let row = 0; row < height; row++) {
      const coded = readVarint(reader);
      if (coded === 0) {
        rows[row * width + column] = Number.NaN;
        continue;
      }
      before += coded % 2 === 1 ? (coded - 1) / 2 : -coded / 2;
      rows[row * width + column] = before;
    }
  }
  return { width, rows };
}

function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let left = value;
  while (left >= 0x80) {
    // Not `& 0x7f`, which would take only 32 bits of the number.
    buffer[at++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80);
  }
  buffer[at++] = left;
  return at;
}

function readVarint(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  let unit = 1;
  for (let count = 0; count < VARINT_MAX_BYTES; count++) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw new RangeError('a time line in the store is cut short');
    value += (byte % 0x80) * unit;
    if (byte < 0x80) return value;
    unit *= 0x80;
  }
  throw new RangeError('a time line in the store is damaged');
}
