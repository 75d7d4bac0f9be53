import t from 'tap';
import { noCgroup } from '../../src/cgroup/none.js';
import { readUsage } from '../../src/cgroup/read-usage.js';
import { cgroupUsage, rawSample } from '../fixtures/samples.js';

t.test('the figures come from one sample of the files that they need', async (t) => {
  const asked: unknown[] = [];
  const sample = async (options: unknown) => {
    asked.push(options);
    return rawSample({ texts: ['7\n'] });
  };
  const usage = cgroupUsage();
  const cgroup = {
    ...noCgroup(''),
    usageFiles: () => ['/box/pids.current'],
    usage: (texts: ReadonlyMap<string, string | null>) => (texts.get('/box/pids.current') === '7\n' ? usage : null),
  };
  t.equal(await readUsage(cgroup, sample), usage);
  t.strictSame(asked, [{ files: ['/box/pids.current'] }]);
  t.equal(await readUsage(noCgroup(''), sample), null);
  t.equal(asked.length, 1, 'a box without groups asks nobody');
});
