import type { KeeperEvent } from 'cgroup-utils-native';
import t from 'tap';
import { holdEnd } from '../../src/supervise/hold-end.js';

const event = (type: string) => ({ type }) as KeeperEvent;

t.test('the end and what follows it wait, a witnessed signal does not', async (t) => {
  const seen: string[] = [];
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const onKeeper = holdEnd(
    ({ type }) => seen.push(type),
    () => settled,
  );
  for (const type of ['started', 'exited', 'empty', 'witnessed']) onKeeper(event(type));
  t.strictSame(seen, ['started', 'witnessed']);
  settle();
  await settled;
  t.strictSame(seen, ['started', 'witnessed', 'exited', 'empty'], 'in their order');
  onKeeper(event('gone'));
  t.equal(seen.at(-1), 'gone');
});

t.test('nothing waits where the reason is known', async (t) => {
  const seen: string[] = [];
  const onKeeper = holdEnd(
    ({ type }) => seen.push(type),
    () => null,
  );
  for (const type of ['exited', 'empty']) onKeeper(event(type));
  t.strictSame(seen, ['exited', 'empty']);
});
