import { spawnSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** src/cli/renew.cjs: the code cache after an upgrade of Node, which refuses that of the one before. */

const ROOT = dirname(dirname(PROC_BOX));
const NOBODY = 65534;

function install(t: Test): string {
  const target = join(temporaryFolder(t), 'proc_box');
  for (const name of ['bin', 'dist', 'native/build/Release/cgroup_utils_native.node']) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    cpSync(join(ROOT, name), join(target, name), { recursive: true });
  }
  mkdirSync(join(target, 'node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(target, 'node/bin/node'));
  return target;
}

const caches = (target: string) => readdirSync(join(target, 'dist')).filter((name) => name.includes('.cache'));

function makeStale(target: string): Buffer {
  const path = join(target, 'dist/main.cjs.cache');
  const stale = Buffer.concat([Buffer.alloc(64, 'x'), readFileSync(path).subarray(64)]);
  writeFileSync(path, stale);
  return stale;
}

function box(target: string) {
  const words = ['--config', 'none', '--uri', 'none', '--quiet', '--', 'sh', '-c', 'echo ran; exit 9'];
  const { status, stdout, stderr } = spawnSync(join(target, 'bin/proc_box'), words, {
    encoding: 'utf8',
    env: plainEnvironment(),
  });
  return { status, stdout, stderr };
}

const RAN = { status: 9, stdout: 'ran\n', stderr: '' };

t.test('a start by the owner of the installation makes a refused cache anew', async (t) => {
  const target = install(t);
  const stale = makeStale(target);
  t.strictSame(box(target), RAN);
  const renewed = readFileSync(join(target, 'dist/main.cjs.cache'));
  t.notSame(renewed, stale);
  t.strictSame(box(target), RAN);
  t.strictSame(readFileSync(join(target, 'dist/main.cjs.cache')), renewed, 'which the next start takes');
});

t.test('one that is missing is made, of the bundles that were loaded, and nothing else is left', async (t) => {
  const target = install(t);
  for (const name of caches(target)) rmSync(join(target, 'dist', name));
  t.strictSame(box(target), RAN);
  t.ok(caches(target).includes('main.cjs.cache'));
  t.strictSame(
    caches(target).filter((name) => !name.endsWith('.cjs.cache')),
    [],
  );
});

t.test(
  'a start by anybody else changes nothing',
  { skip: process.getuid?.() === 0 ? false : 'needs root' },
  async (t) => {
    const target = install(t);
    const stale = makeStale(target);
    chownSync(join(target, 'dist'), NOBODY, NOBODY);
    t.strictSame(box(target), RAN);
    t.strictSame(readFileSync(join(target, 'dist/main.cjs.cache')), stale);
  },
);

t.test('a text that has changed meanwhile gets no cache of the one before', async (t) => {
  const target = install(t);
  const before = makeStale(target);
  const main = join(target, 'dist/main.cjs');
  const words = ['--config', 'none', '--uri', 'none', '--quiet', '--', 'sh', '-c', 'printf ";" >>"$0"', main];
  t.equal(spawnSync(join(target, 'bin/proc_box'), words, { env: plainEnvironment() }).status, 0);
  t.strictSame(readFileSync(`${main}.cache`), before);
});
