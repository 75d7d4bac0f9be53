import t from 'tap';
import { BEGIN, boxState, type Effect, type Input, type Lifecycle, step } from '../../src/box/lifecycle.js';

const alice = { via: 'amqp', user: 'alice', messageId: 'm-1' } as const;
const timer = { via: 'limit' } as const;

const stop: Input = { type: 'stop', reason: 'stopped', by: alice, signal: 3, graceMs: 700 };
const asked: Input = { type: 'asked', reason: 'stopped', by: alice };
const kill: Input = { type: 'kill', reason: 'killed', by: alice, signal: 9 };
const killTerm: Input = { type: 'kill', reason: 'killed', by: alice, signal: 15 };
const leftovers: Input = {
  type: 'leftovers',
  signal: 3,
  graceMs: 700,
  linger: false,
  spare: false,
} as const satisfies Input;
const lingering: Input = { ...leftovers, linger: true };
const bare = (type: 'started' | 'suspend' | 'paused' | 'resume' | 'graceOver' | 'mainEnded' | 'ended'): Input => ({
  type,
});

const starting = BEGIN;
const running: Lifecycle = { ...BEGIN, phase: 'running' };
const suspended: Lifecycle = { ...running, suspended: 'command' };
const stopping: Lifecycle = { ...running, phase: 'stopping', ending: { reason: 'timeout', by: timer } };
const orphans: Lifecycle = { ...running, mainEnded: true };
const ended: Lifecycle = { ...stopping, phase: 'ended', mainEnded: true };

const stopping3 = (how: 'group' | 'forward' | 'rest' | 'spare', atTimeLimit = false): Effect => ({
  do: 'stop',
  how,
  signal: 3,
  atTimeLimit,
});
const all = (signal: number): Effect => ({ do: 'signal', scope: 'all', signal });
const grace: Effect = { do: 'grace', ms: 700 };
const because = { reason: 'stopped', by: alice } as const;
const killed = { reason: 'killed', by: alice } as const;

/** [state, input, what changes, effects in order] */
type Case = readonly [string, Lifecycle, Input, Partial<Lifecycle>, readonly Effect[]];
const cases: readonly Case[] = [
  ['a start makes a starting box run', starting, bare('started'), { phase: 'running' }, []],
  ['a start does not revive a box that is being stopped', stopping, bare('started'), {}, []],
  ['a start of a running box changes nothing', running, bare('started'), {}, []],

  [
    'stop before the start signals and escalates',
    starting,
    stop,
    { phase: 'stopping', ending: because },
    [stopping3('group'), grace],
  ],
  [
    'stop signals the group and escalates',
    running,
    stop,
    { phase: 'stopping', ending: because },
    [stopping3('group'), grace],
  ],
  [
    'stop of a job that has the signal already only escalates',
    running,
    { ...stop, signal: null },
    { phase: 'stopping', ending: because },
    [grace],
  ],
  ['who asked first has the reason', running, asked, { ending: because }, []],
  ['who asks later has not', stopping, asked, {}, []],
  [
    'stop of a suspended box signals first and thaws then',
    suspended,
    stop,
    { phase: 'stopping', suspended: null, ending: because },
    [stopping3('group'), { do: 'resume' }, grace],
  ],
  ['a second stop signals again and keeps the first reason', stopping, stop, {}, [stopping3('group', true), grace]],
  [
    'stop after the main process reaches what is left',
    orphans,
    stop,
    { phase: 'stopping', ending: because },
    [stopping3('rest'), grace],
  ],

  ['kill before the start kills', starting, kill, { phase: 'stopping', ending: killed }, [{ do: 'kill' }]],
  ['kill kills', running, kill, { phase: 'stopping', ending: killed }, [{ do: 'kill' }]],
  ['kill of a suspended box needs no thaw', suspended, kill, { phase: 'stopping', ending: killed }, [{ do: 'kill' }]],
  ['kill while stopping keeps the first reason', stopping, kill, {}, [{ do: 'kill' }]],
  [
    'kill after the main process kills what is left',
    orphans,
    kill,
    { phase: 'stopping', ending: killed },
    [{ do: 'kill' }],
  ],

  ['kill with another signal before the start', starting, killTerm, {}, [all(15)]],
  ['kill with another signal reaches every process and ends nothing by itself', running, killTerm, {}, [all(15)]],
  ['kill with another signal leaves a suspended box suspended', suspended, killTerm, {}, [all(15)]],
  ['kill with another signal while stopping', stopping, killTerm, {}, [all(15)]],
  ['kill with another signal after the main process', orphans, killTerm, {}, [all(15)]],

  ['suspend before the start', starting, bare('suspend'), { suspended: 'command' }, [{ do: 'suspend' }]],
  ['suspend suspends', running, bare('suspend'), { suspended: 'command' }, [{ do: 'suspend' }]],
  ['suspend of a suspended box does nothing', suspended, bare('suspend'), {}, []],
  [
    'suspend after the main process holds what is left',
    orphans,
    bare('suspend'),
    { suspended: 'command' },
    [{ do: 'suspend' }],
  ],

  ['a SIGTSTP that has stopped everybody suspends', running, bare('paused'), { suspended: 'signal' }, []],
  ["a box that a command has suspended is the command's", suspended, bare('paused'), {}, []],
  [
    'a command takes over what a SIGTSTP has suspended',
    { ...running, suspended: 'signal' },
    bare('suspend'),
    { suspended: 'command' },
    [{ do: 'suspend' }],
  ],
  [
    'resume undoes a SIGTSTP',
    { ...running, suspended: 'signal' },
    bare('resume'),
    { suspended: null },
    [{ do: 'resume' }],
  ],

  ['resume of a running box is harmless', running, bare('resume'), {}, [{ do: 'resume' }]],
  ['resume resumes', suspended, bare('resume'), { suspended: null }, [{ do: 'resume' }]],
  ['resume before the start', starting, bare('resume'), {}, [{ do: 'resume' }]],
  ['resume while stopping', stopping, bare('resume'), {}, [{ do: 'resume' }]],
  ['resume after the main process', orphans, bare('resume'), {}, [{ do: 'resume' }]],

  ...[starting, running, suspended, stopping, orphans].map(
    (state): Case => [
      `the end of the grace period kills (${name(state)})`,
      state,
      bare('graceOver'),
      {},
      [{ do: 'kill' }],
    ],
  ),
  ...[starting, running, suspended, stopping, orphans].map(
    (state): Case => [
      `the end of the main process is noted (${name(state)})`,
      state,
      bare('mainEnded'),
      { mainEnded: true },
      [],
    ],
  ),
  ...[starting, running, suspended, stopping, orphans].map(
    (state): Case => [
      `the end of the box is final (${name(state)})`,
      state,
      bare('ended'),
      { phase: 'ended', suspended: null },
      [],
    ],
  ),

  [
    'what the main process leaves gets the ladder',
    orphans,
    leftovers,
    { phase: 'stopping' },
    [stopping3('rest'), grace],
  ],
  [
    'what it leaves suspended is thawed',
    { ...orphans, suspended: 'command' },
    leftovers,
    { phase: 'stopping', suspended: null },
    [stopping3('rest'), { do: 'resume' }, grace],
  ],
  [
    "who has had the scheduler's signal is left alone",
    orphans,
    { ...leftovers, spare: true },
    { phase: 'stopping' },
    [stopping3('spare'), grace],
  ],
  [
    "a signal of the scheduler's is passed on, and kills nobody",
    running,
    { ...stop, reason: 'scheduler' },
    { phase: 'stopping', ending: { reason: 'scheduler', by: alice } },
    [stopping3('forward'), grace],
  ],
  ['--linger waits', orphans, lingering, {}, []],
  [
    '--linger does not protect from a stop',
    { ...stopping, mainEnded: true },
    lingering,
    {},
    [stopping3('rest'), grace],
  ],
];

for (const [title, state, input, change, effects] of cases) {
  t.test(title, async (t) => {
    const before = structuredClone(state);
    const [next, done] = step(state, input);
    const { ending, lastKill, ...rest } = { ...state, ...change };
    t.match(next, rest);
    if (ending === null) t.equal(next.ending, null);
    else t.match(next.ending, ending);
    t.equal(next.lastKill, input === killTerm ? input : lastKill);
    t.strictSame(done, effects);
    t.strictSame(state, before, 'the old state is untouched');
  });
}

for (const input of [
  stop,
  kill,
  killTerm,
  leftovers,
  bare('started'),
  bare('suspend'),
  bare('paused'),
  bare('resume'),
  bare('graceOver'),
  bare('mainEnded'),
  bare('ended'),
]) {
  t.test(`an ended box ignores ${input.type}`, async (t) => {
    t.strictSame(step(ended, input), [ended, []]);
  });
}

t.test('the first reason wins over every later one', async (t) => {
  const inputs: Input[] = [
    bare('started'),
    stop,
    { ...stop, reason: 'timeout', by: timer },
    kill,
    bare('mainEnded'),
    bare('ended'),
  ];
  const last = inputs.reduce((state, input) => step(state, input)[0], BEGIN);
  t.match(last, { phase: 'ended', ending: because });
});

t.test('remembers the signal that kill sent and who asked', async (t) => {
  t.match(step(running, killTerm)[0].lastKill, { signal: 15, by: alice });
  t.equal(step(running, kill)[0].lastKill, null);
});

t.test('names the state as messages do', async (t) => {
  t.strictSame(
    [starting, running, suspended, stopping, { ...stopping, suspended: 'command' as const }, ended].map(boxState),
    ['starting', 'running', 'suspended', 'stopping', 'stopping', 'ended'],
  );
});

function name({ phase, suspended, mainEnded }: Lifecycle): string {
  return `${phase}${suspended !== null ? ', suspended' : ''}${mainEnded ? ', without its main process' : ''}`;
}
