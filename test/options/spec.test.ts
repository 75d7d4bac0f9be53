import t from 'tap';
import { type BoxSpec, isObserved } from '../../src/options/spec.js';

t.test('a box is observed where somebody gets its figures', async (t) => {
  const spec = (more: Partial<BoxSpec>) =>
    ({ uris: [], report: false, reportFile: undefined, ...more }) as unknown as BoxSpec;
  t.equal(isObserved(spec({})), false);
  t.equal(isObserved(spec({ uris: ['amqp://h'] })), true);
  t.equal(isObserved(spec({ report: true })), true);
  t.equal(isObserved(spec({ reportFile: 'r.json' })), true);
});
