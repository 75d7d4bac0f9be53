import t from 'tap';
import { createRequestReader, REQUEST_MAX_BYTES } from '../../src/adopt/request.js';

/** What `proc_box adopt --via` sends, as native/src/front/via.h has it. */

interface Given {
  readonly words?: readonly string[];
  readonly entries?: readonly string[];
  readonly count?: number;
  readonly length?: number;
}

function frame({ words = ['proc_box', 'adopt', '--pid', '7'], entries = [], count, length }: Given = {}): Buffer {
  const text = Buffer.from([...words, ...entries].map((word) => `${word}\0`).join(''));
  const head = Buffer.alloc(24);
  head.writeUInt32LE(length ?? text.length, 0);
  head.writeUInt32LE(count ?? words.length, 4);
  head.writeInt32LE(4711, 8);
  head.writeDoubleLE(12.5, 16);
  return Buffer.concat([head, text]);
}

t.test('words, settings and what says whose job it is', async (t) => {
  const entries = ['PBOX_URI=amqp://u:p@h', 'SLURM_JOB_ID=12', 'SLURM_A=b=c', 'SLURM_EMPTY=', 'nothing'];
  t.strictSame(createRequestReader()(frame({ words: ['proc_box', 'adopt', '--json', '{"ü": ""}', ''], entries })), {
    argv: ['proc_box', 'adopt', '--json', '{"ü": ""}', ''],
    settings: ['PBOX_URI=amqp://u:p@h'],
    environment: { SLURM_JOB_ID: '12', SLURM_A: 'b=c', SLURM_EMPTY: '' },
    failsOpen: false,
    pid: 4711,
    untilMs: 12.5,
  });
});

t.test('a request comes in any pieces, and counts when it is whole', async (t) => {
  const whole = frame({ entries: ['SLURM_JOB_ID=12'] });
  const read = createRequestReader();
  for (const byte of whole.subarray(0, -1)) t.equal(read(Buffer.from([byte])), undefined);
  t.match(read(whole.subarray(-1)), { argv: ['proc_box', 'adopt', '--pid', '7'], environment: { SLURM_JOB_ID: '12' } });
});

t.test('what is none is refused, a huge one before it is read', async (t) => {
  for (const [bytes, message] of [
    [frame({ length: REQUEST_MAX_BYTES + 1 }), /a request of 262145 bytes: at most 262144/],
    [frame({ count: 99 }), /not a request/],
    [frame({ count: 1 }), /not a request/],
    [frame({ words: ['proc_box', 'sh'] }), /not a request/],
    [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), /a request of \d+ bytes: at most/],
    [Buffer.concat([frame(), Buffer.from('x')]), /more than one request/],
    [Buffer.alloc(24), /not a request/],
    [Buffer.concat([frame({ length: 3, words: [], count: 2 }), Buffer.from('abc')]), /not a request/],
  ] as const) {
    t.throws(() => createRequestReader()(bytes), { name: 'SpecError', message });
  }
});
