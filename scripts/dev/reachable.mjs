/**
 * Many tests run boxes as an ordinary user. If the checkout is below a folder that only root may enter, such as root's home, or
 * was made under umask 077, other users cannot even execute bin/proc_box. The tests then run in a copy.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, say } from './setup.mjs';

const OTHERS_EXECUTE = 0o001;
const OTHERS_READ = 0o004;
/** Left out of the copy: node_modules, to which it has a link, and folders that no test needs. */
const NOT_COPIED = new Set(['node_modules', '.git', '.tap', 'coverage']);
/** $TMPDIR may be as private as the checkout, and /tmp may be mounted noexec. */
const COPIES = '/var/tmp';

/**
 * @returns {{ path: string, remove: () => void }} the checkout itself if an ordinary user can run its files, or if we are an
 *   ordinary user; otherwise a copy, which `remove` deletes
 */
export function reachableCheckout() {
  if (process.getuid() !== 0 || isReachable(root)) return { path: root, remove: () => {} };
  const path = mkdtempSync(join(COPIES, 'proc_box-test-'));
  say(`Only root can read ${root}: the tests, some of which run as an ordinary user, run in a copy, ${path} ...`);
  const remove = () => rmSync(path, { recursive: true, force: true });
  try {
    for (const name of readdirSync(root)) {
      if (!NOT_COPIED.has(name))
        cpSync(join(root, name), join(path, name), { recursive: true, verbatimSymlinks: true });
    }
    symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'));
    chmodSync(path, 0o755);
    spawnSync('chmod', ['-R', 'go+rX', '--', path], { stdio: ['ignore', 2, 2] });
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}

/** Whether other users can enter every folder above, and read and execute the product's files. */
function isReachable(checkout) {
  for (let folder = checkout; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & OTHERS_EXECUTE) === 0) return false;
    if (folder === dirname(folder)) break;
  }
  return [
    'bin/proc_box',
    'dist/boot.cjs',
    'native/build/Release',
    'test/fixtures/jobs',
    'scripts/site/pbs/hook.py',
  ].every((name) => {
    const { mode } = lstatSync(join(checkout, name), { throwIfNoEntry: false }) ?? { mode: OTHERS_READ };
    return (mode & OTHERS_READ) !== 0;
  });
}
