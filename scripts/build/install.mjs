/**
 * The package's install script. It compiles the native part where the prebuilt one does not run, links the Node that has run it, and
 * makes the code cache. Nothing is lost where npm runs no install scripts and the prebuilt part fits: the front end finds Node by
 * itself, and the first start by the owner of the folder makes the cache. In a checkout it does nothing; use `npm run build` there.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, linkNode } from './native.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
if (!existsSync(join(root, 'src'))) install();

function install() {
  linkNode(root);
  if (process.env.npm_config_build_from_source || !fits()) compile();
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build/code-cache.mjs')], {
    encoding: 'utf8',
  });
  if (status !== 0)
    process.stderr.write(`proc_box: cannot create the code cache, so each launch takes longer: ${stderr}\n`);
}

/** Whether the prebuilt executable and addon run on this machine: its processor, and its libc. */
function fits() {
  return spawnSync(join(root, 'bin/proc_box'), ['--version'], { stdio: 'ignore' }).status === 0;
}

function compile() {
  try {
    buildNative({ root });
  } catch (error) {
    const remedy =
      error.remedy ?? 'install a C++ compiler, make and Python 3 (Debian: apt-get install g++ make python3)';
    process.stderr.write(
      `${error.message}\nproc_box: the prebuilt native part does not run here, and it could not be compiled; proc_box cannot start jobs without it: ${remedy}; ` +
        `then run: ${process.execPath} ${fileURLToPath(import.meta.url)}\n`,
    );
    process.exit(1);
  }
  const bin = join(root, 'bin', 'proc_box');
  mkdirSync(dirname(bin), { recursive: true });
  copyFileSync(join(root, 'native/build/Release/proc_box'), `${bin}.new`);
  chmodSync(`${bin}.new`, 0o755);
  renameSync(`${bin}.new`, bin);
}
