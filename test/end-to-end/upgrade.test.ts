import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PYTHON, plainEnvironment } from '../fixtures/run.js';

/** An upgrade in place, between the start of a keeper and that of Node: they speak different versions of their protocol. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function start(words: readonly string[]) {
  const keeper = join(root, 'test', 'fixtures', 'keeper-of-another-version.py');
  return spawnSync(PYTHON, [keeper, process.execPath, join(root, 'dist', 'boot.cjs'), ...words], {
    encoding: 'utf8',
    env: plainEnvironment(),
    timeout: 60_000,
  });
}

t.test('the job does not start, and 125 says why', async (t) => {
  const { status, stdout, stderr } = start(['-uri', 'none', 'true']);
  t.strictSame([status, stdout], [125, '']);
  t.match(
    stderr,
    /^proc_box: error: the keeper speaks version 4711 of its protocol, and this proc_box \d+: it was installed anew while it started; the job is not started: start it again$/m,
  );
});

t.test('with --failure open the job runs without a box, and its status is its own', async (t) => {
  const { status, stdout, stderr } = start(['-uri', 'none', '--failure', 'open', '--', 'true']);
  t.strictSame([status, stdout], [9, 'request 1 of this version\nrequest 3 of this version\n']);
  t.match(stderr, /the job runs without a box \(--failure open\)/);
});
