import type { Keeper } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { parseSaved, Saving } from '../../src/agent/saving.js';
import type { Box } from '../../src/box/box.js';
import type { SavedBox } from '../../src/box/saved.js';
import { until } from '../fixtures/processes.js';

const BOX = {
  version: 1,
  boxId: '6b0d7b78c6f4fff85a39',
  sequence: 65,
  pid: 17,
  startedMs: 5,
  life: { state: { phase: 'running' }, graceEndsMs: null },
  clock: { on: true, held: false, elapsedMs: 1, atMs: 6, suspendedMs: 0, limitMs: 0, reached: [] },
  near: [],
  limits: [],
  limitSetBy: [],
  sampleIntervalMs: 0,
  resources: { limits: [], swap: null, oomKills: 0, forksRefused: 0 },
} as unknown as SavedBox;

function saving(t: Test, box: () => SavedBox = () => BOX, isBehind = false) {
  const kept: Buffer[] = [];
  const keeper = { keep: (bytes: Buffer) => kept.push(bytes), isBehind };
  const one = new Saving(keeper as unknown as Keeper, [], () => ({ save: box }) as unknown as Box);
  t.teardown(() => one.end());
  return { one, kept, keeper };
}

t.test('what must not be lost is saved at once, everything else soon and together', async (t) => {
  const { one, kept } = saving(t);
  one.changed('soon');
  one.changed('soon');
  t.equal(kept.length, 0);
  one.changed('now');
  t.equal(kept.length, 1);
  one.changed('soon');
  one.changed('soon');
  await until(() => kept.length === 2, 'the second time');
  t.strictSame(parseSaved(kept[1]!).box, BOX);
});

t.test('what each sample changes is saved every few seconds, unless something else is saved before', async (t) => {
  const { one, kept } = saving(t);
  one.changed('later');
  await until(() => kept.length === 1, 'the first time there is nothing to wait for');
  one.changed('later');
  one.changed('soon');
  one.changed('later');
  await until(() => kept.length === 2, 'the earlier time counts');
  const began = performance.now();
  one.changed('later');
  await until(() => kept.length === 3, 'later');
  t.ok(performance.now() - began > 1_000);
});

t.test('a command is saved before it has an effect', async (t) => {
  const { one, kept } = saving(t);
  let saved = 0;
  const answer = await one.commands.remember('id', '["kill"]', async () => {
    saved = kept.length;
    return { ok: true, result: { processes: 3 } };
  });
  t.equal(saved, 1, 'the keeper had its id before');
  t.strictSame(answer, { ok: true, result: { processes: 3 } });
  await until(() => kept.length === 2, 'its answer, too');
  t.strictSame(parseSaved(kept[1]!).commands, [['id', '["kill"]', answer]]);
});

t.test('ids of commands that are too long to be saved cost the oldest commands, not the box', async (t) => {
  const { one, kept } = saving(t);
  const answer = { ok: true, result: null } as const;
  for (let n = 0; n < 64; n++) await one.commands.remember(`${n} ${'k'.repeat(4_000)}`, 'a', async () => answer);
  one.changed('now');
  const { box, commands } = parseSaved(kept.at(-1)!);
  t.strictSame(box, BOX);
  t.match(commands.at(-1)?.[0], /^63 /);
  t.ok(commands.length >= 8 && commands.length < 64, `${commands.length} commands`);
});

t.test('a keeper that does not read gets only what must not be lost, and commands wait for it', async (t) => {
  const { one, kept, keeper } = saving(t, undefined, true);
  one.changed('soon');
  const done: string[] = [];
  const carryOut = (name: string) => async () => {
    done.push(name);
    return { ok: true, result: null } as const;
  };
  const answers = [
    one.commands.remember('a', '["kill"]', carryOut('a')),
    one.commands.remember('b', '["kill"]', carryOut('b')),
    one.commands.remember('c', '["ping"]', carryOut('c'), true),
  ];
  await answers[2];
  await new Promise((resolve) => setTimeout(resolve, 60)); // thrice the time after which it would be saved
  t.strictSame([kept.length, done], [0, ['c']]);
  one.changed('now');
  t.equal(kept.length, 1);
  keeper.isBehind = false;
  await Promise.all(answers);
  t.strictSame(done, ['c', 'a', 'b'], 'in their order');
  t.strictSame(
    parseSaved(kept[1]!).commands.map(([key]) => key),
    ['a', 'b'],
    'and saved before',
  );
});

t.test('nothing is saved after the end, and nothing that is too long', async (t) => {
  const { one, kept } = saving(t, () => ({ ...BOX, extra: 'x'.repeat(70_000) }) as unknown as SavedBox);
  one.changed('now');
  t.equal(kept.length, 0);
  const other = saving(t);
  other.one.end();
  other.one.changed('now');
  t.equal(other.kept.length, 0);
});

t.test('what a keeper gives back is refused unless it is what an agent writes', async (t) => {
  const whole = { version: 1, box: BOX, commands: [], groups: [] };
  t.doesNotThrow(() => parseSaved(Buffer.from(JSON.stringify(whole))));
  const bad: unknown[] = [
    null,
    7,
    'text',
    [],
    {},
    { ...whole, version: 2 },
    { ...whole, groups: undefined },
    { ...whole, commands: {} },
    { ...whole, box: { ...BOX, boxId: '../../etc' } },
    { ...whole, box: { ...BOX, sequence: -1 } },
    { ...whole, box: { ...BOX, pid: '17' } },
    { ...whole, box: { ...BOX, clock: null } },
    { ...whole, box: { ...BOX, limits: 3 } },
    { ...whole, box: { ...BOX, life: { state: { phase: 'ended' } } } },
  ];
  for (const value of bad) {
    const text = JSON.stringify(value);
    t.throws(() => parseSaved(Buffer.from(text)), /^the saved state /, text);
  }
  t.throws(() => parseSaved(Buffer.from('{"version": 1')), /^the saved state /);
  t.throws(() => parseSaved(Buffer.alloc(0)), /^the saved state /);
});
