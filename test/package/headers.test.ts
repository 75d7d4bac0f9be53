// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** A Node without its headers, on a host without internet. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const GYP = ['lib', 'share']
  .map((name) =>
    join(dirname(dirname(process.execPath)), name, 'node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'),
  )
  .find((path) => existsSync(path));

t.test('a build that misses the headers of Node names them', { skip: GYP ? false : 'needs npm' }, (t) => {
  const folder = temporaryFolder(t);
  const node = join(folder, 'bin', 'node');
  mkdirSync(dirname(node));
  try {
    linkSync(process.execPath, node);
  } catch {
    copyFileSync(process.execPath, node); // another file system
  }
  const packed = join(folder, 'package');
  for (const name of ['native', 'scripts/build'])
    cpSync(join(root, name), join(packed, name), {
      recursive: true,
      filter: (path) => !/\/native\/build(\/|$)/.test(path),
    });
  const nowhere = 'http://127.0.0.1:1';
  const { status, stderr } = spawnSync(node, [join(packed, 'scripts/build/install.mjs')], {
    encoding: 'utf8',
    env: plainEnvironment({
      npm_config_node_gyp: GYP,
      npm_config_devdir: join(folder, 'cache'),
      npm_config_disturl: nowhere,
      npm_config_proxy: undefined,
    }),
  });
  t.equal(status, 1);
  const line = stderr.trim().split('\n').at(-1) ?? '';
  t.match(line, `the headers of Node ${process.version} are missing: ${folder}/include/node does not have them`);
  t.match(line, `; then run: ${node} ${packed}/scripts/build/install.mjs`);
  t.notMatch(line, 'compiler');
  t.end();
});
