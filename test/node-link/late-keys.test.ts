import t from 'tap';
import type { Bindings } from '../../src/node-link/bindings.js';
import { LateKeys } from '../../src/node-link/late-keys.js';
import { until } from '../fixtures/processes.js';

t.test('a node with few boxes binds at once, and others when they are old enough', async (t) => {
  const wanted: string[] = [];
  const released: string[] = [];
  const late = new LateKeys(
    {
      want: (_: string, [key]: string[]) => wanted.push(key!),
      release: (_: string, [key]: string[]) => released.push(key!),
    } as unknown as Bindings,
    50,
  );
  const boxes = Array.from({ length: 70 }, (_, n) => ({ key: `k${n}` }));
  for (const box of boxes) late.add(box, 'x', [box.key]);
  t.equal(wanted.length, 64);
  late.remove(boxes[69]!);
  t.strictSame(released, [], 'it had none yet');
  for (const box of boxes.slice(0, 10)) late.remove(box);
  t.equal(released.length, 10);
  late.add({}, 'x', ['short']);
  t.equal(wanted.length, 64, 'a node with many short jobs does not bind for each of them');
  await until(() => wanted.length === 70, 'the others are old enough');
  t.strictSame(wanted.slice(64), ['k64', 'k65', 'k66', 'k67', 'k68', 'short']);
  late.close();
});
