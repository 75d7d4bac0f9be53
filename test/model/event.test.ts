import t from 'tap';
import { type BoxEvent, createEventSource, type EventBody } from '../../src/model/event.js';
import type { Outgoing } from '../../src/model/types.js';
import { commandEvent, refusalEvent, toBy } from '../../src/stats/audit.js';
import { exitedEvent } from '../../src/stats/end.js';
import { endedByTimeout, eventBodies, identity } from '../fixtures/samples.js';
import { schemaErrors } from '../fixtures/schemas.js';

function source() {
  const emitted: { event: BoxEvent; outgoing: Outgoing }[] = [];
  let sequence = 10;
  const emit = createEventSource({
    identity,
    state: () => 'running',
    sequence: () => ++sequence,
    emit: (event, outgoing) => emitted.push({ event, outgoing }),
    nowMs: () => Date.UTC(2026, 10, 23, 16, 42, 42, 333),
  });
  return { emit, emitted };
}

t.test('every event has a head and matches its schema', (t) => {
  const { emit, emitted } = source();
  for (const body of eventBodies) {
    const event = emit(body);
    t.same(schemaErrors('event', emitted.at(-1)?.outgoing.body), [], body.event);
    t.match(event, { ...body, version: 1, identity, state: 'running', time: '2026-11-23T16:42:42.333Z' });
  }
  const names = new Set(eventBodies.map((body) => body.event));
  t.same(
    [...names].sort(),
    [
      'command',
      'exited',
      'limit_changed',
      'limit_exceeded',
      'oom',
      'options_ignored',
      'released',
      'resumed',
      'spool_dropped',
      'started',
      'suspended',
      'unboxed',
    ] satisfies EventBody['event'][],
    'all of them',
  );
  t.end();
});

t.test('an event leaves with the box and its sequence number as message id', (t) => {
  const { emit, emitted } = source();
  emit({ event: 'suspended', by: { via: 'box' } });
  t.match(emitted[0]?.outgoing, { kind: 'event', messageId: 'b0x1-11', type: 'proc_box.event', timestamp: 1795452162 });
  t.match(emitted[0]?.outgoing.body, /^\{"event":"suspended","version":1,"sequence":11,/);
  t.end();
});

t.test('the end report sets what was used against the limits', (t) => {
  t.match(endedByTimeout, {
    exit_status: 124,
    code: null,
    signal: 'SIGKILL',
    reason: 'timeout',
    by: { via: 'limit' },
    elapsed_ms: 700_123,
    usage: {
      user_sec: 620,
      system_sec: 10,
      cpu_percent: 90,
      memory_peak_bytes: 3_000_000_000,
      stdout_bytes: 5_000_000,
    },
    limits: {
      timeout: { value: 600_000, used: 600_004 },
      stdoutlimit: { used: 5_000_000 },
      nofile: { value: 1024, hard: 4096, used: null },
    },
  });
  t.end();
});

t.test('a box that ended by itself was asked by nobody', (t) => {
  const final = {
    Limits: {},
    Timer: {},
    CPUTimes: { user: 0, system: 0 },
    MemoryPeak: {},
    Counts: {},
    IOCounters: {},
    Pressure: null,
  };
  const ending = {
    exitStatus: 0,
    code: 0,
    signal: null,
    coreDumped: false,
    reason: 'exited',
    by: null,
    why: null,
    elapsedMs: 0,
    suspendedMs: 0,
    refusedCommands: 0,
    left: [],
  } as const;
  const event = exitedEvent(final as never, ending);
  t.equal(event.by, null);
  t.equal(event.usage.cpu_percent, 0, 'no time, no share');
  t.end();
});

t.test('the audit trail tells who asked for what and what was answered', (t) => {
  const by = { via: 'amqp', messageId: 'm1', user: 'ops' } as const;
  t.same(commandEvent({ name: 'stop', graceMs: 5000 }, by, { ok: true, result: { signalled: 2 } }), {
    event: 'command',
    command: 'stop',
    arguments: { grace_ms: 5000 },
    by: { via: 'amqp', message_id: 'm1', user: 'ops' },
    decision: 'accepted',
    answer: { ok: true, result: { signalled: 2 } },
  });
  const answer = { ok: false, error: { code: 'unknown_command', message: 'unknown command "stpo"' } } as const;
  t.same(refusalEvent('stpo', ['5s'], { ...by, key: 'k1', signer: 'Olga' }, answer), {
    event: 'command',
    command: 'stpo',
    arguments: ['5s'],
    by: { via: 'amqp', message_id: 'm1', user: 'ops', key: 'k1', signer: 'Olga' },
    decision: 'refused',
    answer,
  });
  t.equal(refusalEvent('', null, by, answer).arguments, null, 'they could not be read');
  t.end();
});

t.test('the audit trail does not repeat a status, nor more than a bounded part of a hostile message', (t) => {
  const huge = 'x'.repeat(70_000);
  t.same(commandEvent({ name: 'status' }, { via: 'box' }, { ok: true, result: huge }).answer, { ok: true });
  const event = refusalEvent(
    huge,
    [huge],
    { via: 'amqp', messageId: huge, user: huge },
    { ok: false, error: { code: 'not_json', message: huge } },
  );
  t.ok(JSON.stringify(event).length < 3000);
  t.equal(event.command.length, 128);
  const limit = commandEvent(
    { name: 'set_limit', limit: huge, value: huge },
    { via: 'box' },
    { ok: true, result: null },
  );
  t.ok(JSON.stringify(limit).length < 1000);
  t.end();
});

t.test('a signal to the wrapper is named', (t) => {
  t.same(toBy({ via: 'signal', signal: 'SIGTERM' }), { via: 'signal', signal: 'SIGTERM' });
  t.end();
});
