import t from 'tap';
import { createLeftBehind } from '../../src/box/unkillable.js';
import { createLogger } from '../../src/log.js';

t.test('each process that SIGKILL does not end is named once, and again where it is left behind', async (t) => {
  const log: string[] = [];
  const leftBehind = createLeftBehind(createLogger('debug', { write: (line) => log.push(line.trimEnd()) }));
  const one = { pid: 7, name: 'a', reason: 'it waits for a disk' };
  const two = { pid: 8, name: 'b', reason: 'it is traced' };
  leftBehind.notice([one], false);
  leftBehind.notice([one, two], false);
  t.strictSame(leftBehind.left, []);
  leftBehind.notice([two], true);
  t.strictSame(leftBehind.left, [two]);
  t.equal(log.length, 3);
  t.match(log, [
    /has not ended: pid 7 \(a\): it waits/,
    /has not ended: pid 8/,
    /left behind: pid 8 \(b\): it is traced/,
  ]);
});
