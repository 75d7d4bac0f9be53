import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, temporaryFolder } from '../fixtures/run.js';

/** Which Node the front end starts: find_node() of native/src/front/node.cc. */

/** A program that writes down which one it is, and then ends the front end that has started it. */
function fakeNode(path: string, name: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${name}' >"$HOME/started"\nkill -KILL "$PPID"\n`);
  chmodSync(path, 0o755);
}

function install(t: Test, below: string): { root: string; started: () => string } {
  const top = temporaryFolder(t);
  const root = join(top, below);
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync(PROC_BOX, join(root, 'bin/proc_box'));
  fakeNode(join(top, 'path/node'), 'that of PATH');
  const started = () => {
    const env = { PATH: join(top, 'path'), HOME: top };
    rmSync(join(top, 'started'), { force: true });
    spawnSync(join(root, 'bin/proc_box'), ['-uri', 'none', '/bin/true'], { env });
    return existsSync(join(top, 'started')) ? readFileSync(join(top, 'started'), 'utf8').trim() : 'none of them';
  };
  return { root, started };
}

t.test("the package's own comes first, whatever PATH has", async (t) => {
  const { root, started } = install(t, 'opt/proc_box');
  fakeNode(join(root, 'node/bin/node'), 'that of the package');
  t.equal(started(), 'that of the package');
});

t.test('then that of the npm which has installed it globally', async (t) => {
  const { root, started } = install(t, 'prefix/lib/node_modules/proc_box');
  fakeNode(join(root, '../../../bin/node'), 'that of npm');
  t.equal(started(), 'that of npm');
  fakeNode(join(root, 'node/bin/node'), 'that of the package');
  t.equal(started(), 'that of the package');
});

t.test("a folder that only looks like npm's is not asked", async (t) => {
  const { root, started } = install(t, 'prefix/modules/proc_box');
  fakeNode(join(root, '../../../bin/node'), 'that of npm');
  t.not(started(), 'that of npm');
});
