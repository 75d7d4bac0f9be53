import fc from 'fast-check';
import t from 'tap';
import { eventWords } from '../../../../src/observe/page/data/event-words.js';

const memory = { value: 4 * 1024 ** 3, unit: 'bytes', enforcement: 'cgroup2' };

t.test('events in words', async (t) => {
  const cases = [
    ['started', { executable: 'sh' }, 'Started sh', '', 'good'],
    ['started', { executable: 'sh', adopted: true }, 'Started sh', 'adopted: the process was running before', 'good'],
    ['suspended', { by: { via: 'amqp', user: 'ops' } }, 'Suspended', 'requested by ops', 'warn'],
    [
      'resumed',
      { by: { via: 'signal', signal: 'SIGCONT', sender: { name: 'slurmstepd' } } },
      'Resumed',
      'SIGCONT from slurmstepd',
      'good',
    ],
    [
      'limit_changed',
      { limit: 'memory', from: null, to: memory },
      'Limit memory changed from none to 4 GiB',
      '',
      'plain',
    ],
    [
      'limit_near',
      { limit: 'memory', threshold_percent: 80, status: memory },
      '80 % of the limit memory (4 GiB) used',
      '',
      'warn',
    ],
    ['limit_exceeded', { limit: 'memory', status: memory }, 'Limit memory of 4 GiB exceeded', '', 'bad'],
    [
      'warned',
      { signal: 'USR1', remaining_ms: 60_000 },
      'Sent USR1 as a warning',
      '1 min before the time limit',
      'warn',
    ],
    [
      'oom',
      { kills: 2, limit: memory, memory_peak_bytes: 4 * 1024 ** 3 },
      'Out of memory: the kernel killed 2 processes',
      'limit 4 GiB, peak 4 GiB',
      'bad',
    ],
    [
      'command',
      { command: 'kill', arguments: ['TERM'], by: { via: 'amqp', signer: 'ops' }, answer: { ok: true } },
      'Carried out: kill TERM',
      'requested by ops',
      'plain',
    ],
    [
      'command',
      {
        command: 'kill',
        arguments: { signal: 15 },
        by: { via: 'amqp' },
        answer: { ok: false, error: { message: 'no' } },
      },
      'Refused: kill signal=15',
      'requested by a message: no',
      'warn',
    ],
    ['exited', { exit_status: 0, reason: 'exited' }, 'Ended: exited, exit status 0', '', 'good'],
    [
      'exited',
      { exit_status: 137, signal: 'SIGKILL', reason: 'oom', why: 'out of memory' },
      'Ended: oom, SIGKILL, exit status 137',
      'out of memory',
      'bad',
    ],
    ['released', {}, 'Supervision ended; the process continues', '', 'plain'],
    ['unboxed', { why: 'no' }, 'Runs without a box', 'no', 'warn'],
    ['options_ignored', { why: 'no' }, 'Runs in a box without its options', 'no', 'warn'],
    ['spool_dropped', { messages: 3 }, '3 messages of the spool lost', '', 'warn'],
    ['of_a_later_version', {}, 'of a later version', '', 'plain'],
  ] as const;
  for (const [event, body, text, more, tone] of cases)
    t.strictSame(eventWords(event, body), { text, more, tone }, text);
});

t.test('no body can break the words or hide in them', async (t) => {
  const names = [
    'started',
    'limit_changed',
    'limit_near',
    'oom',
    'command',
    'exited',
    'suspended',
    'warned',
    '\u202eevil',
  ];
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.dictionary(
          fc.constantFrom('by', 'from', 'to', 'status', 'limit', 'answer', 'arguments', 'kills', 'why'),
          fc.jsonValue(),
        ),
        (event, body) => {
          const { text, more } = eventWords(event, body as Record<string, unknown>);
          return typeof text === 'string' && !/[\u202a-\u202e\n\0]/.test(text + more);
        },
      ),
    ),
  );
  t.match(eventWords('started', { executable: '\u202egnp.exe' }).text, '\\u202e');
});
