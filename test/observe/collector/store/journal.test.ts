import t from 'tap';
import { FIGURES_WIDTH } from '../../../../src/observe/collector/live/figures.js';
import { decodeRecord, encodeRecord } from '../../../../src/observe/collector/store/journal.js';

t.test('a record comes back as it was', async (t) => {
  const figures = Float64Array.from({ length: FIGURES_WIDTH }, (_, index) =>
    index === 6 ? Number.NaN : index * 1_000,
  );
  const record = {
    samples: [
      { box: 'a', figures },
      { box: 'b"\n', figures: figures.map((value) => value + 1) },
    ],
    events: [{ box: 'c', sequence: 7 }],
  };
  t.strictSame(decodeRecord(encodeRecord(record)), record);
  t.strictSame(decodeRecord(encodeRecord({ samples: [], events: [] })), { samples: [], events: [] });
});

t.test('a damaged record is an error', async (t) => {
  t.throws(() => decodeRecord(Buffer.from([255, 255, 0, 0, 1])));
});
