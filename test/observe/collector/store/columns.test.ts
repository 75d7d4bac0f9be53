import fc from 'fast-check';
import t from 'tap';
import { decodeColumns, encodeColumns, VALUE_MAX } from '../../../../src/observe/collector/store/columns.js';

t.test('whole numbers and unknown values come back as they were', async () => {
  const value = fc.oneof(
    fc.integer({ min: 0, max: VALUE_MAX }),
    fc.integer({ min: 0, max: 300 }),
    fc.constant(Number.NaN),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(value, { maxLength: 60 }), (width, values) => {
      const rows = Float64Array.from(values.slice(0, Math.floor(values.length / width) * width));
      const back = decodeColumns(encodeColumns(rows, width));
      return back.width === width && rows.every((one, index) => Object.is(back.rows[index], one));
    }),
  );
});

t.test('values that do not fit are rounded or cut', async (t) => {
  const { rows } = decodeColumns(encodeColumns(Float64Array.of(1.6, -5, Number.POSITIVE_INFINITY, 1e300), 4));
  t.strictSame([...rows], [2, 0, VALUE_MAX, VALUE_MAX]);
});

t.test('values that hardly change take a byte each', async (t) => {
  const rows = Float64Array.from({ length: 320 }, (_, index) => 1e12 + index);
  t.ok(encodeColumns(rows, 1).length < 340);
});

t.test('damaged bytes are an error, and cannot make it reserve memory', async (t) => {
  const good = encodeColumns(Float64Array.of(1, 2, 3, 4), 2);
  t.throws(() => decodeColumns(good.subarray(0, 4)), RangeError);
  t.throws(() => decodeColumns(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f])), RangeError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        decodeColumns(bytes);
      } catch (error) {
        return error instanceof RangeError;
      }
      return true;
    }),
  );
});
