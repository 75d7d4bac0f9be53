import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { boxIdOf, groupsOf } from '../fixtures/cgroups.js';
import { processesWith, until } from '../fixtures/processes.js';
import { PROC_BOX, PYTHON, plainEnvironment } from '../fixtures/run.js';

/** `npm test` runs below scripts/dev/supervise.py, so that an interrupted run ends what its tests have started. */

const SUPERVISE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'dev', 'supervise.py');

/** A program with a box, and a daemon in a session of its own, that ends with status 3 when it gets SIGTERM. */
const PROGRAM = `trap 'exit 3' TERM INT
${PROC_BOX} -uri none --config none -- sh -c 'setsid sleep 1000 & echo job; sleep 1000' &
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
while :; do wait; done`;

async function supervised(t: Test, id: string) {
  const child = spawn(PYTHON, ['-S', '-E', SUPERVISE, 'sh', '-c', PROGRAM], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: plainEnvironment({ MARK: id }),
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const left = () => processesWith(`MARK=${id}`);
  t.teardown(() => {
    for (const pid of left()) process.kill(pid, 'SIGKILL');
  });
  await until(() => text.includes('job\n') && text.includes('started in box'), 'the job runs');
  return { child, left, groups: () => groupsOf(boxIdOf(text)), text: () => text };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} ends the boxes, the daemons and the groups of what was started`, async (t) => {
    const { child, left, groups, text } = await supervised(t, `supervised-${signal}-${process.pid}`);
    t.ok(left().length > 5);
    child.kill(signal);
    t.strictSame(await once(child, 'exit'), [3, null], 'with the status of the program');
    t.match(text(), /Ending \d+ processes that the tests have left: .*sleep/);
    t.strictSame(left(), []);
    t.strictSame(groups(), []);
  });
}
