/**
 * prepack and postpack. The tarball holds a placeholder in place of the executable `bin/proc_box`, because npm links bins before
 * it runs the install script that builds the real one.
 *
 *   node scripts/build/pack.mjs before|after
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, run, say } from '../dev/setup.mjs';

const bin = join(root, 'bin', 'proc_box');
const executable = join(root, 'native/build/Release/proc_box');

/** npm 12 runs no install script without being asked, and then `npm rebuild` runs none either. */
const PLACEHOLDER = `#!/bin/sh
self=$(readlink -f "$0")
echo "proc_box: npm did not run the install script, so the native part is missing: run: node \${self%/bin/*}/scripts/build/install.mjs" >&2
exit 125
`;

try {
  if (process.argv[2] === 'before') before();
  else after();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}

function before() {
  run(process.execPath, [join(root, 'scripts/build/build.mjs'), '--no-native', '--quiet']);
  mkdirSync(dirname(bin), { recursive: true });
  writeFileSync(`${bin}.new`, PLACEHOLDER);
  replaceBin();
}

/** Gives the checkout its executable back. */
function after() {
  if (!existsSync(executable)) return rmSync(bin);
  copyFileSync(executable, `${bin}.new`);
  replaceBin();
}

/** Replaces the executable in one step, because the old one may be running. */
function replaceBin() {
  chmodSync(`${bin}.new`, 0o755);
  renameSync(`${bin}.new`, bin);
}
