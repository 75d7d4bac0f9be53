import t from 'tap';
import type { Observed } from '../../../src/observe/model/observed.js';
import { parseValue } from '../../../src/observe/model/parse.js';
import { heard } from '../../../src/observe/top/tracked.js';
import { eventMessage, exitedMessage, sampleMessage } from '../../fixtures/observed.js';

const who = { box: 'b1' };
const parse = (message: object) => parseValue(message) as Observed;
const sample = (sequence: number, atMs: number, read: number, more: object = {}) =>
  parse(
    sampleMessage(who, sequence, atMs, {
      IOCounters: { read_count: 0, write_count: 0, read_bytes: read, write_bytes: 0 },
      ...more,
    }),
  );

t.test('rates come from two samples', async (t) => {
  const first = heard(undefined, sample(1, 10_000, 1000), 0);
  t.equal(first.readRate, null);
  const second = heard(first, sample(2, 12_000, 5000), 2000);
  t.equal(second.readRate, 2000);
  const third = heard(second, sample(3, 12_010, 9000), 2010);
  t.equal(third.readRate, 2000, 'two samples that are too close tell nothing');
  t.equal(heard(second, sample(3, 14_000, 0), 4000).readRate, 0, 'a counter that goes back');
});

t.test('figures of a large box that are old do not make a rate of zero', async (t) => {
  const first = heard(undefined, sample(1, 10_000, 1000), 0);
  const same = heard(first, sample(2, 20_000, 1000, { ProcessesAgeMs: 10_000 }), 0);
  t.equal(same.readRate, null);
  t.equal(heard(same, sample(3, 30_000, 21_000), 0).readRate, 1000);
});

t.test('older and repeated messages change nothing', async (t) => {
  const box = heard(undefined, sample(5, 10_000, 1), 0);
  for (const sequence of [1, 4, 5]) t.equal(heard(box, sample(sequence, 99_000, 1), 9), box);
});

t.test('events tell the command, the interval, the state and the end', async (t) => {
  const started = heard(
    undefined,
    parse(eventMessage(who, 1, 0, 'started', { executable: './job', sample_interval_ms: 5000 })),
    0,
  );
  t.match(started, { command: './job', intervalMs: 5000, state: 'running' });
  const suspended = heard(started, parse(eventMessage(who, 2, 0, 'suspended', { state: 'suspended' })), 0);
  t.match(suspended, { command: './job', state: 'suspended' });
  t.equal(heard(suspended, parse(exitedMessage(who, 3, 0)), 0).state, 'ended');
});
