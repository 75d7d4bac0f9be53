/**
 * The package's install script: builds the native part on the host where proc_box will run, and replaces the placeholder that
 * npm has linked by the real executable. In a checkout it does nothing; use `npm run build` there.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative } from './native.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
if (!existsSync(join(root, 'src'))) install();

function install() {
  try {
    buildNative({ root });
  } catch (error) {
    const remedy =
      error.remedy ?? 'install a C++ compiler, make and Python 3 (Debian: apt-get install g++ make python3)';
    process.stderr.write(
      `${error.message}\nproc_box: the native part could not be built, and proc_box cannot start jobs without it: ${remedy}; ` +
        `then run: ${process.execPath} ${fileURLToPath(import.meta.url)}\n`,
    );
    process.exit(1);
  }
  const bin = join(root, 'bin', 'proc_box');
  mkdirSync(dirname(bin), { recursive: true });
  copyFileSync(join(root, 'native/build/Release/proc_box'), `${bin}.new`);
  chmodSync(`${bin}.new`, 0o755);
  renameSync(`${bin}.new`, bin);
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build/code-cache.mjs')], {
    encoding: 'utf8',
  });
  if (status !== 0)
    process.stderr.write(`proc_box: the code cache could not be made, so each launch takes longer: ${stderr}\n`);
}
