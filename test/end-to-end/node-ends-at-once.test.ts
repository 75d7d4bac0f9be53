import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

t.test('a Node that ends before the front end looks at it is noticed at once', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['bin', 'node/bin']) mkdirSync(join(folder, name), { recursive: true });
  cpSync(PROC_BOX, join(folder, 'bin/proc_box'), { dereference: true });
  copyFileSync('/bin/true', join(folder, 'node/bin/node'));
  // On one CPU this Node often ends before its parent goes on.
  const words = ['-c', '0', join(folder, 'bin', 'proc_box'), '--version'];
  for (let round = 0; round < 30; round++) {
    const { status, stderr } = spawnSync('taskset', words, {
      ...{ encoding: 'utf8', env: plainEnvironment(), timeout: 30_000 },
    });
    t.equal(status, 125, stderr);
    t.match(stderr, 'Node ended with status 0 before "proc_box --version" was done');
  }
});
