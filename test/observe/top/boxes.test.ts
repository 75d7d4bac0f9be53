import t from 'tap';
import { Boxes } from '../../../src/observe/top/boxes.js';
import { eventMessage, exitedMessage, identityOf, sampleMessage } from '../../fixtures/observed.js';

const WALL = Date.UTC(2026, 10, 30);

function boxesAt() {
  const clock = { ms: 0 };
  const boxes = new Boxes({ keepEndedMs: 60_000, nowMs: () => clock.ms, wallMs: () => WALL + clock.ms });
  const sample = (box: string, sequence: number, figures = {}) =>
    boxes.message(Buffer.from(JSON.stringify(sampleMessage({ box }, sequence, WALL + clock.ms, figures))));
  return { clock, boxes, sample };
}

t.test('a row has the figures of the last sample', async (t) => {
  const { boxes, sample } = boxesAt();
  sample('b1', 1, {
    Limits: {
      memory: { value: 1000, unit: 'bytes', enforcement: 'cgroup2' },
      cpus: { value: 1.5, unit: 'cpus', enforcement: 'cgroup2' },
    },
  });
  t.match(boxes.rows(), [
    {
      box: 'b1',
      user: 'alice',
      state: 'running',
      cpu_percent: 61.1,
      cpu_limit: 1.5,
      memory: 144_478_208,
      memory_peak: 150_000_640,
      memory_limit: 1000,
      used_ms: 10_002,
      limit_ms: 600_000,
      processes: 2,
      pressure_cpu: 0.12,
      pressure_io: null,
    },
  ]);
});

t.test('the time goes on between samples, unless the box is suspended', async (t) => {
  const { clock, boxes, sample } = boxesAt();
  sample('b1', 1);
  clock.ms = 5000;
  t.equal(boxes.rows()[0]!.used_ms, 15_002);
  boxes.message(Buffer.from(JSON.stringify(eventMessage({ box: 'b1' }, 2, WALL, 'suspended', { state: 'suspended' }))));
  t.equal(boxes.rows()[0]!.used_ms, 10_002);
});

t.test('a box that says nothing for three intervals is silent, and later forgotten', async (t) => {
  const { clock, boxes, sample } = boxesAt();
  boxes.message(
    Buffer.from(JSON.stringify(eventMessage({ box: 'b1' }, 1, WALL, 'started', { sample_interval_ms: 10_000 }))),
  );
  sample('b1', 2);
  clock.ms = 29_000;
  t.equal(boxes.rows()[0]!.state, 'running');
  clock.ms = 31_000;
  t.equal(boxes.rows()[0]!.state, 'silent');
  clock.ms = 301_000;
  t.strictSame(boxes.rows(), []);
});

t.test('a box without periodic samples is never silent', async (t) => {
  const { clock, boxes } = boxesAt();
  boxes.message(
    Buffer.from(JSON.stringify(eventMessage({ box: 'b1' }, 1, WALL, 'started', { sample_interval_ms: 0 }))),
  );
  clock.ms = 1e9;
  t.equal(boxes.rows()[0]!.state, 'running');
});

t.test('a box that has ended stays for a while', async (t) => {
  const { clock, boxes } = boxesAt();
  boxes.message(Buffer.from(JSON.stringify(exitedMessage({ box: 'b1' }, 9, WALL))));
  clock.ms = 59_000;
  t.equal(boxes.rows()[0]!.state, 'ended');
  clock.ms = 61_000;
  t.strictSame(boxes.rows(), []);
});

t.test('messages of the past, as a spool delivers them, are no live boxes', async (t) => {
  const { boxes } = boxesAt();
  boxes.message(Buffer.from(JSON.stringify(sampleMessage({ box: 'old' }, 1, WALL - 3_600_000))));
  t.strictSame(boxes.rows(), []);
});

t.test('answers to status fill the table, and what is no answer does not', async (t) => {
  const { boxes } = boxesAt();
  const result = {
    identity: identityOf({ box: 'b2' }),
    state: 'suspended',
    executable: '/bin/sleep',
    sample_interval_ms: 1000,
    sample: sampleMessage({ box: 'b2' }, 7, WALL),
  };
  t.ok(boxes.answer(JSON.stringify({ ok: true, result })));
  t.match(boxes.rows(), [{ box: 'b2', state: 'suspended', command: '/bin/sleep', memory: 144_478_208 }]);
  t.notOk(boxes.answer('{"ok": false}'));
  t.notOk(boxes.answer('x'));
  boxes.message(Buffer.from('x'));
  t.equal(boxes.unreadable, 1);
});
