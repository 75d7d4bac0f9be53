import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import { runHere } from '../../src/kernel/run-task.js';

t.test('a box without control groups answers everything, and says why it has none', async (t) => {
  const none = noCgroup('--cgroup off');
  t.match(none, { forkInto: null, tasks: [], freezer: null, killFile: null, cleanup: [], dirs: [] });
  t.match(none, { pressureDir: null, procsFile: null });
  t.strictSame(none.holds('memory'), { why: '--cgroup off' });
  t.strictSame(runHere(none.ceiling('memory')), { value: 'unlimited', path: '' });
  t.throws(() => none.set('memory', 1), { name: 'EnvironmentError', message: '--cgroup off' });
  t.strictSame([runHere(none.inForce('memory')), none.usage(new Map()), none.chargedFile('pids')], [null, null, null]);
  t.strictSame(none.usageFiles(), []);
});
