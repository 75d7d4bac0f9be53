/**
 * The package's install script: builds the native part on the host where proc_box will run, and puts the real
 * executable where npm has linked the placeholder. In a checkout it does nothing: there `npm run build` does.
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
    process.stderr.write(
      `${error.message}\nproc_box: the native part could not be built, and without it no job can be started; ` +
        'install a C++ compiler, make and Python 3 (Debian: apt-get install g++ make python3) and try again\n',
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
  if (status !== 0) process.stderr.write(`proc_box: no code cache was made, launching takes longer: ${stderr}\n`);
}
