/**
 * Makes V8's code caches beside the bundles of dist/. With --if-stale it does nothing if this Node accepts those that are there. It runs on the host where they will be used, with the Node and the flags
 * that the front end uses, because V8 refuses any other cache.
 *
 * First every bundle gets a cache of the code that loading it compiles. Then real boxes run with
 * scripts/build/code-cache-hook.cjs, so that the caches also hold the functions that a launch calls.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const dist = join(root, 'dist');

/**
 * Launches to record, one after the other. Each adds the functions that it calls to the caches. Nothing listens on port 1, so
 * the broker's side is loaded and fails to connect, which covers most of its code. Limits that are not available here are
 * left out.
 */
const LIMITS = '--memory 1G --pids 500 --cpus 2 --timeout 1h --rlimit nofile=1024'.split(' ');
const SLURM = { SLURM_JOB_ID: '1', SLURM_STEP_ID: '0', SLURM_PROCID: '0', SLURM_NTASKS: '1', SLURM_JOB_UID: '0' };
const NO_BROKER = ['--config', 'none', '-uri', 'none'];
const LAUNCHES = [
  { words: ['--config', 'none', '-uri', 'amqp://127.0.0.1:1', '--flush', '100ms', '--', '/bin/true'] },
  { words: [...NO_BROKER, ...LIMITS, '--', '/bin/true'] },
  { words: [...NO_BROKER, '--', '/bin/true'], environment: SLURM },
];

/** Plain code without a cache, as in scripts/build/bundle.mjs. */
const PLAIN = ['boot.cjs', 'renew.cjs', 'unboxed.cjs'];

if (process.argv[2] === '--compile') compileAll();
else if (process.argv[2] === '--are-stale') process.exitCode = areStale() ? 1 : 0;
else if (process.argv[2] !== '--if-stale' || underFlags('--are-stale') !== 0) makeCaches();

function makeCaches() {
  if (underFlags('--compile') !== 0) process.exitCode = 1;
  else recordLaunches(nodeFlags());
}

/** Runs this file once more, with the flags that the front end gives Node. @returns the exit status */
function underFlags(step) {
  const words = [...nodeFlags(), fileURLToPath(import.meta.url), step];
  return spawnSync(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] }).status;
}

function nodeFlags() {
  return readFileSync(join(root, 'native/node-flags.txt'), 'utf8').trim().split(/\s+/);
}

/** Whether a bundle has no cache, or one that this Node refuses. */
function areStale() {
  return bundles().some((filename) => {
    if (!existsSync(`${filename}.cache`)) return true;
    const cachedData = readFileSync(`${filename}.cache`);
    return new Script(readFileSync(filename, 'latin1'), { filename, cachedData }).cachedDataRejected === true;
  });
}

/** Paths of the bundles that have a cache. */
function bundles() {
  const names = readdirSync(dist).filter((name) => name.endsWith('.cjs') && !PLAIN.includes(name));
  return names.map((name) => join(dist, name));
}

/** A failure here is harmless, because the caches of the first step are valid. */
function recordLaunches(flags) {
  const box = join(root, 'bin/proc_box');
  if (!existsSync(box) || !existsSync(join(dist, 'main.cjs'))) return;
  for (const launch of LAUNCHES) record(box, flags, launch);
  const adopted = spawn('sleep', ['0.2'], { stdio: 'ignore' });
  record(box, flags, { words: ['adopt', '--pid', String(adopted.pid), ...NO_BROKER, ...LIMITS] });
  adopted.kill('SIGKILL');
}

/** Starts Node as the front end does, with the keeper's socket as descriptor 3, but with the hook. */
function record(box, flags, { words, environment = {} }) {
  const { launchKeeper } = createRequire(import.meta.url)('../../native/index.js');
  const variables = Object.entries({ PATH: '/usr/bin:/bin', ...environment }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const keeper = launchKeeper(box, words, variables);
  const node = [...flags, '--require', join(root, 'scripts/build/code-cache-hook.cjs'), join(dist, 'boot.cjs')];
  const stdio = ['ignore', 'ignore', 'ignore', keeper];
  spawnSync(process.execPath, node, { env: environment, stdio, timeout: 20_000, killSignal: 'SIGKILL' });
  closeSync(keeper);
}

function compileAll() {
  for (const filename of bundles()) {
    const source = readFileSync(filename, 'latin1');
    // Loading main.cjs would run a job.
    const script = filename.endsWith('/main.cjs') ? new Script(source, { filename }) : load(source, filename);
    writeFileSync(`${filename}.cache.new`, script.createCachedData());
    renameSync(`${filename}.cache.new`, `${filename}.cache`);
  }
}

function load(source, filename) {
  const script = new Script(source, { filename });
  const module = { exports: {} };
  const none = () => ({});
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, dist, none);
  return script;
}
