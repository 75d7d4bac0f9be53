/** Makes the tarball that runs from any folder, with Node inside. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../dev/setup.mjs';
import { setTimes } from './stage.mjs';

/** @returns {string} the path of the tarball @param {{ tree: string, folder: string, epochSec: number, out: string }} options */
export function makeTarball({ tree, folder, epochSec, out }) {
  setTimes(tree, epochSec);
  mkdirSync(out, { recursive: true });
  // gzip, because a small system has no xz.
  const path = join(out, `${folder}.tar.gz`);
  const order = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epochSec}`];
  run('tar', [...order, '-C', join(tree, '..'), '-cf', `${path}.tar`, folder]);
  run('sh', ['-c', 'gzip -6 -n -c "$1" >"$2" && rm "$1"', 'sh', `${path}.tar`, path]);
  return path;
}
