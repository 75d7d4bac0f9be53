/**
 * Makes V8's code caches beside the bundles of dist/: on the host where they will be used, by the Node and with the
 * flags that the front end starts (V8 refuses a cache of others).
 *
 * First every bundle gets a cache of what loading it compiles. Then a real box runs /bin/true while
 * scripts/code-cache-hook.cjs listens, so that the functions which a launch calls are in the cache as well.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

if (process.argv[2] === '--compile') compileAll();
else makeCaches();

function makeCaches() {
  const flags = readFileSync(join(root, 'native/node-flags.txt'), 'utf8').trim().split(/\s+/);
  const self = fileURLToPath(import.meta.url);
  const { status } = spawnSync(process.execPath, [...flags, self, '--compile'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exitCode = 1;
  else recordLaunch(flags);
}

/** A failure here is no error: the caches of the first step are valid. */
function recordLaunch(flags) {
  const box = join(root, 'bin/proc_box');
  if (!existsSync(box) || !existsSync(join(dist, 'main.cjs'))) return;
  const { launchKeeper } = createRequire(import.meta.url)('../native/index.js');
  // Nothing listens on port 1: the broker's side is loaded and fails to connect, which is most of its code.
  const words = ['-uri', 'amqp://127.0.0.1:1', '--flush', '1s', '--config', 'none', '--', '/bin/true'];
  // As the front end starts it, but for the hook: Node with the keeper's socket as descriptor 3.
  const keeper = launchKeeper(box, words, ['PATH=/usr/bin:/bin']);
  const node = [...flags, '--require', join(root, 'scripts/code-cache-hook.cjs'), join(dist, 'boot.cjs')];
  const stdio = ['ignore', 'ignore', 'ignore', keeper];
  spawnSync(process.execPath, node, { env: {}, stdio, timeout: 20_000, killSignal: 'SIGKILL' });
}

function compileAll() {
  for (const file of readdirSync(dist).filter(
    (name) => name.endsWith('.cjs') && name !== 'boot.cjs' && name !== 'unboxed.cjs',
  )) {
    const filename = join(dist, file);
    const source = readFileSync(filename, 'latin1');
    const script = file === 'main.cjs' ? compileWhole(source, filename) : load(source, filename);
    writeFileSync(`${filename}.cache.new`, script.createCachedData());
    renameSync(`${filename}.cache.new`, `${filename}.cache`);
  }
}

/** main.cjs runs a job when it is loaded: it is compiled without being run. */
function compileWhole(source, filename) {
  setFlagsFromString('--no-lazy');
  const script = new Script(source, { filename });
  setFlagsFromString('--lazy'); // part of the flags that a cache is made for
  return script;
}

function load(source, filename) {
  const script = new Script(source, { filename });
  const module = { exports: {} };
  const none = () => ({});
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, dist, none);
  return script;
}
