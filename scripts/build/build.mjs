/**
 * Builds what is out of date: the native part (node-gyp), bin/proc_box, the bundles of dist/ and V8's code caches. A stamp
 * beside the output of each step holds a hash of everything that the step reads, and decides whether it runs.
 *
 *   node scripts/build/build.mjs [--no-native] [--quiet]
 *
 * Several builds at once take turns.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram, root, say } from '../dev/setup.mjs';
import { buildNative, linkNode } from './native.mjs';

const flags = new Set(process.argv.slice(2));
const tell = flags.has('--quiet') ? () => {} : say;

const LOCKED = 'PROC_BOX_BUILD_LOCKED';
if (!process.env[LOCKED] && findProgram('flock')) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const args = [join(root, 'dist', '.lock'), process.execPath, ...process.argv.slice(1)];
  process.exit(spawnSync('flock', args, { stdio: 'inherit', env: { ...process.env, [LOCKED]: '1' } }).status ?? 1);
}

try {
  const native = !flags.has('--no-native');
  const launched = native && nativePart();
  const bundled = await step(
    'bundles',
    [...sources(), 'scripts/build/bundle.mjs', 'scripts/build/page.mjs', ...files(join(root, 'scripts/build/shims'))],
    'dist/boot.cjs',
    async () => {
      const { bundle } = await import('./bundle.mjs');
      await bundle();
    },
  );
  if (native && (launched || bundled || !existsSync(join(root, 'dist/main.cjs.cache')))) codeCaches();
} catch (error) {
  say(`build: ${error.message}`);
  process.exitCode = 1;
}

/** Runs `make` unless the stamp shows that the output was made from the same input. Returns whether it ran. */
async function step(name, inputs, output, make) {
  const stamp = join(root, 'dist', `.${name}.stamp`);
  const hash = hashOf(inputs);
  if (existsSync(join(root, output)) && read(stamp) === hash) return false;
  tell(`Building ${name} ...`);
  rmSync(stamp, { force: true });
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  return true;
}

/** Builds the addon and the executable, and replaces bin/proc_box in one step, because it may be running. */
function nativePart() {
  const built = buildNative({ root, tell });
  linkNode(root);
  const executable = join(root, 'native/build/Release/proc_box');
  const bin = join(root, 'bin/proc_box');
  if (!existsSync(executable)) throw new Error(`copy ${executable}: node-gyp did not make it`);
  if (existsSync(bin) && readFileSync(executable).equals(readFileSync(bin))) return built;
  mkdirSync(dirname(bin), { recursive: true });
  copyFileSync(executable, `${bin}.new`);
  chmodSync(`${bin}.new`, 0o755);
  renameSync(`${bin}.new`, bin);
  return true;
}

/** The loader works without a code cache, so a failure costs only launch time. */
function codeCaches() {
  tell('Building code caches ...');
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build/code-cache.mjs')], {
    encoding: 'utf8',
  });
  if (status !== 0) say(`build: no code cache: ${stderr}`);
}

/** Everything that the bundles are made from. */
function sources() {
  return [
    ...files(join(root, 'src')),
    'native/index.d.ts',
    ...files(join(root, 'native/types')),
    'package.json',
    'package-lock.json',
    'scripts/build/build.mjs',
  ];
}

function files(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function hashOf(paths) {
  const hash = createHash('sha256').update(process.version);
  for (const path of paths)
    hash.update(`\0${path}\0`).update(readFileSync(path.startsWith('/') ? path : join(root, path)));
  return hash.digest('hex');
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
