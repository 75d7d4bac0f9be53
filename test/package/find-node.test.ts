import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, temporaryFolder } from '../fixtures/run.js';

/** Which Node the front end starts: find_node() of native/src/front/node.cc. */

/** A program that says which one it is, as the error that keeps Node from starting. Like Node, it takes a moment for that. */
function fakeNode(path: string, name: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nsleep 0.2\necho "error: this is ${name}" >&2\nexit 1\n`);
  chmodSync(path, 0o755);
}

function install(t: Test, below: string): { root: string; started: () => string } {
  const top = temporaryFolder(t);
  const root = join(top, below);
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync(PROC_BOX, join(root, 'bin/proc_box'));
  fakeNode(join(top, 'path/node'), 'that of PATH');
  const started = () => {
    const options = { encoding: 'utf8', env: { PATH: join(top, 'path') } } as const;
    const { stderr } = spawnSync(join(root, 'bin/proc_box'), ['-uri', 'none', '/bin/true'], options);
    return /this is (that of (?:the package|npm|PATH))/.exec(stderr)?.[1] ?? stderr;
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
