import t from 'tap';
import { createEventSource } from '../../../src/model/event.js';
import type { Observed } from '../../../src/observe/model/observed.js';
import { parseValue } from '../../../src/observe/model/parse.js';
import { PLAIN } from '../../../src/observe/terminal/look.js';
import { EVENT_NAMES, messageLine } from '../../../src/observe/watch/line.js';
import { eventMessage, sampleMessage } from '../../fixtures/observed.js';
import { eventBodies, identity } from '../../fixtures/samples.js';

const NOW = new Date(2026, 10, 30, 14, 3, 22).getTime();
const look = { utf8: true, color: false, bare: true } as const;
const lineOf = (message: object, shown = PLAIN) => messageLine(parseValue(message) as Observed, shown, NOW);

t.test('every event has words of its own', async (t) => {
  const lines: string[] = [];
  const emit = createEventSource({
    identity,
    state: () => 'running',
    sequence: () => 1,
    emit: (event) => lines.push(lineOf(JSON.parse(JSON.stringify(event)))),
    nowMs: () => NOW,
  });
  for (const body of eventBodies) emit(body);
  t.strictSame(
    [...new Set(eventBodies.map(({ event }) => event))].filter((name) => !EVENT_NAMES.includes(name)),
    [],
  );
  for (const line of lines) {
    t.match(line, /^14:03:22 node1 alice 1234_7\.0\.3 \S/);
    t.notMatch(line, /undefined|null|NaN|\[object/, line);
  }
  const all = lines.join('\n');
  for (const expected of [
    'started: ./job, pid 100; limits: nofile 1024:4096',
    'suspended by ops',
    'limit timeout: none became none',
    'limit timeout exceeded: 10 min of 10 min, held by timer',
    'out of memory: the kernel killed 1 process (the host or the scheduler ran out of memory',
    'command kill 15 by a message: done',
    'command (unreadable) by a message: refused: not_json: the body is not JSON',
    'command kill TERM by bob (signed by Olga): refused: forbidden: no',
    'ended: timeout (SIGKILL) by a limit, exit status 124, 11 min 40 s',
    'lost 10 messages',
  ])
    t.match(all, expected);
});

t.test('a sample', async (t) => {
  t.match(
    lineOf(sampleMessage({ box: 'b1', job: '7' }, 1, NOW)),
    '14:03:22 node1 alice 7 sample: CPU 61.1 %; memory 137.8 MiB, peak 143.1 MiB; read 4 MiB, written 200 MiB; 2 processes; 10 s of 10 min',
  );
  t.match(
    lineOf(sampleMessage({ box: 'b1' }, 1, NOW, { State: 'suspended', Cause: 'request' })),
    /suspended; taken for: request$/,
  );
});

t.test('another day has its date', async (t) =>
  t.match(lineOf(sampleMessage({ box: 'b' }, 1, NOW - 86_400_000)), /^2026-11-29 14:03:22 /),
);

t.test('foreign fields cannot control the terminal, break the line, or make it endless', async (t) => {
  const odd = {
    executable: '\x1b[2J\n',
    pid: 'x',
    limits: [],
    why: '\u202e'.repeat(9),
    by: { via: '\x07', user: '\x1b' },
    usage: 7,
    command: {},
    arguments: [{}, '\n'],
    answer: 'no',
    limit: 5,
    processes: 'x',
    from: 1,
    status: '',
  };
  for (const name of [...EVENT_NAMES, 'new_in_2030', '\x1b[31m', 'constructor']) {
    for (const shown of [look, PLAIN]) {
      const line = lineOf(eventMessage({ box: 'b', user: '\x1b[1m' }, 1, NOW, name, odd), shown);
      t.notMatch(line, /[\p{Cc}\u202e]/u, name);
    }
  }
  t.ok(lineOf(eventMessage({ box: 'b' }, 1, NOW, 'unboxed', { why: 'x'.repeat(1e5) })).length < 1100);
  t.match(
    lineOf(eventMessage({ box: 'b', user: 'm\u00fcller' }, 1, NOW, 'resumed')),
    ' m?ller ',
    'ASCII where the locale has no UTF-8',
  );
});

t.test('what matters has a colour', async (t) => {
  const color = { utf8: true, color: true };
  t.match(lineOf(eventMessage({ box: 'b' }, 1, NOW, 'oom', {}), color), '\x1b[1;31m');
  t.match(lineOf(eventMessage({ box: 'b' }, 1, NOW, 'exited', { exit_status: 0 }), color), '\x1b[32m');
  t.match(lineOf(eventMessage({ box: 'b' }, 1, NOW, 'exited', { exit_status: 1 }), color), '\x1b[1;31m');
  t.match(lineOf(eventMessage({ box: 'b' }, 1, NOW, 'warned', {}), color), '\x1b[33m');
});
