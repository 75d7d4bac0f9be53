import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';

t.test('a box without control groups answers everything, and says why it has none', async (t) => {
  const none = noCgroup('--cgroup off');
  t.match(none, { forkInto: null, tasks: [], freezer: null, killFile: null, cleanup: [], dirs: [] });
  t.match(none, { pressureDir: null, procsFile: null });
  t.strictSame(none.holds('memory'), { why: '--cgroup off' });
  t.strictSame(none.ceiling('memory'), { value: 'unlimited', path: '' });
  t.throws(() => none.set('memory', 1), { name: 'EnvironmentError', message: '--cgroup off' });
  t.strictSame([none.inForce('memory'), none.usage(), none.charged('pids')], [null, null, null]);
  t.doesNotThrow(() => none.close());
});
