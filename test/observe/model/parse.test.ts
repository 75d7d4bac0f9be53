import fc from 'fast-check';
import t from 'tap';
import { BODY_MAX_BYTES, parseMessage, parseValue } from '../../../src/observe/model/parse.js';
import { eventMessage, exitedMessage, sampleMessage } from '../../fixtures/observed.js';

const AT_MS = Date.parse('2026-11-23T16:42:42.333Z');
const who = { box: 'b1', job: '1234_7', user: 'alice', host: 'node1' };
const parse = (message: unknown) => parseMessage(Buffer.from(JSON.stringify(message)));
const sample = (figures: Record<string, unknown> = {}) => {
  const observed = parse(sampleMessage(who, 3, AT_MS, figures));
  if (observed.kind !== 'sample') throw new Error(JSON.stringify(observed));
  return observed;
};

t.test('a sample becomes typed figures', async (t) => {
  const observed = sample();
  t.match(observed, {
    id: 'b1-3',
    sequence: 3,
    atMs: AT_MS,
    identity: { box: 'b1', job: '1234_7', user: 'alice', host: 'node1', scheduler: 'slurm', verified: [] },
    cause: 'interval',
    state: 'running',
    elapsedMs: 10_002,
    timeLimitMs: 600_000,
    cpuPercent: 61.1,
    userSec: 5.92,
    rssBytes: 144478208,
    memoryBytes: 331067392,
    memoryPeakBytes: 360710144,
    memoryLimitBytes: null,
    cpuLimitCores: null,
    pressureScope: 'cgroup',
    throttledMs: 410.2,
    oomKills: 0,
    processes: 2,
    threads: 3,
  });
  t.equal(observed.pressure.cpu?.someTotalUsec, 11118724);
  t.equal(observed.largest[0]?.name, 'job');
});

t.test('memory is what counts against the limit, and else resident memory', async (t) => {
  const limits = { memory: { value: 1e9, unit: 'bytes', enforcement: 'cgroup2' } };
  t.match(sample({ Limits: limits, Memory: { rss: 5 } }), { memoryBytes: 331067392, memoryLimitBytes: 1e9 });
  t.match(sample({ MemoryCgroup: null, Memory: { rss: 5 }, MemoryPeak: { rss: 9 } }), {
    memoryBytes: 5,
    memoryPeakBytes: 9,
  });
  t.equal(sample({ Limits: { memory: { value: 'unlimited' } } }).memoryLimitBytes, null);
});

t.test('events keep their own keys', async (t) => {
  const observed = parse(eventMessage(who, 4, AT_MS, 'suspended', { by: { via: 'amqp' }, state: 'suspended' }));
  t.match(observed, { kind: 'event', id: 'b1-4', event: 'suspended', state: 'suspended' });
  if (observed.kind === 'event') t.strictSame(observed.body, { by: { via: 'amqp' } });
  t.match(parse(exitedMessage(who, 5, AT_MS)), { kind: 'event', event: 'exited', state: 'ended' });
  t.match(parse(eventMessage(who, 4, AT_MS, 'from_a_later_version')), { event: 'from_a_later_version' });
});

t.test('a message that names no box, position or time is unreadable, with a reason', async (t) => {
  const good = sampleMessage(who, 3, AT_MS);
  const cases: readonly (readonly [unknown, string])[] = [
    [Buffer.from('{"a":'), 'not_json'],
    [Buffer.from([0x22, 0xff, 0x22]), 'not_json'],
    [Buffer.alloc(BODY_MAX_BYTES + 1, ' '), 'too_large'],
    [[], 'not_proc_box'],
    [{ hello: 1 }, 'not_proc_box'],
    [{ ...good, Identity: undefined }, 'no_identity'],
    [{ ...good, Identity: { ...(good['Identity'] as object), user: '' } }, 'no_identity'],
    [{ ...good, Sequence: 0 }, 'no_sequence'],
    [{ ...good, Sequence: 1.5 }, 'no_sequence'],
    [{ ...good, Sequence: 2 ** 50 }, 'no_sequence'],
    [{ ...good, TimeUTC: 'soon', TimeUnix: null }, 'no_time'],
    [{ ...good, TimeUTC: null, TimeUnix: 1e300 }, 'no_time'],
  ];
  for (const [message, reason] of cases) {
    const observed = Buffer.isBuffer(message) ? parseMessage(message) : parse(message);
    t.strictSame(observed, { kind: 'unreadable', reason });
  }
});

t.test('odd fields cost only themselves', async (t) => {
  const observed = sample({
    Memory: 'much',
    CPUPercent: -3,
    Timer: null,
    Pressure: [],
    State: 'dreaming',
    Processes: 7,
    Limits: [],
    TimeUTC: 'x',
  });
  t.match(observed, { rssBytes: 0, cpuPercent: 0, elapsedMs: null, state: 'running', pressureScope: null });
  t.equal(observed.atMs, Math.floor(AT_MS / 1000) * 1000, 'the time falls back to TimeUnix');
});

t.test('no JSON value makes it throw', async () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void parseValue(value)));
  const keys = Object.keys(sampleMessage(who, 1, AT_MS));
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      parse({ ...sampleMessage(who, 1, AT_MS), [key]: value });
    }),
  );
});
