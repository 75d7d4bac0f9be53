/**
 * What the project's own commands (test, quickstart, bench) need on a fresh machine: npm packages, the build,
 * Debian packages. Plain Node without dependencies, since it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Debian's name of a package and a program or file of it that tells that it is there, however it was installed. */
const PROGRAM_OF = {
  'rabbitmq-server': 'rabbitmq-server',
  'dumb-init': 'dumb-init',
  'util-linux': 'prlimit',
  coreutils: 'timeout',
  tini: 'tini',
  python3: 'python3',
  'python3-pika': '/usr/lib/python3/dist-packages/pika',
  make: 'make',
  'g++': 'c++',
  'slurm-client': 'srun',
  munge: 'munged',
  'libslurm-dev': '/usr/include/slurm/spank.h',
};

/** Asked by maintainer scripts before they start a daemon: ours are started by who uses them. */
const POLICY = '/usr/sbin/policy-rc.d';

/** @param {string} message one line on stderr: stdout is kept for results */
export function say(message) {
  process.stderr.write(`${message}\n`);
}

/** Runs a command, shows its output on stderr, throws when it fails. */
export function run(command, args, options = {}) {
  const { error, status, signal } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (error) throw new Error(`run ${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')}: ended with ${signal ?? `exit status ${status}`}`);
}

/** First executable file of this name in PATH or in the system's sbin folders, or undefined; a path is taken as it is. */
export function findProgram(name) {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // ENOENT, EACCES, ENOTDIR: not a program that we can run
  }
}

/** `npm ci` unless node_modules holds what package-lock.json names. */
export function ensureNpm() {
  const difference = packagesDiffer();
  if (!difference) return;
  say(`Installing npm packages (${difference}) ...`);
  run(findProgram('npm') ?? 'npm', ['ci', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

/** Compares package-lock.json with npm's own record of what it installed; says the first difference. */
function packagesDiffer() {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return 'none yet';
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') || entry.link || entry.optional || entry.devOptional) continue;
    if (installed[path]?.version !== entry.version) return `${path.slice('node_modules/'.length)} ${entry.version}`;
  }
  return undefined;
}

/** Brings bin/, dist/ and native/build up to date, as a process beside this one; does nothing where they are. */
export async function ensureBuild() {
  if (!findProgram('c++') || !findProgram('make') || !findProgram('python3')) ensureDebian(['g++', 'make', 'python3']);
  const script = join(root, 'scripts', 'build', 'build.mjs');
  const [status, signal] = await once(
    spawn(process.execPath, [script, '--quiet'], { stdio: ['ignore', 2, 2] }),
    'exit',
  );
  if (status !== 0) throw new Error(`${script}: ended with ${signal ?? `exit status ${status}`}`);
}

/**
 * Installs the Debian packages whose programs are missing.
 * @param {string[]} packages keys of PROGRAM_OF
 * @param {{ optional?: boolean }} [options] `optional` warns where the package cannot be had instead of throwing
 * @returns {string[]} packages that are still missing
 */
export function ensureDebian(packages, { optional = false } = {}) {
  const missing = packages.filter((name) => !findProgram(PROGRAM_OF[name] ?? name));
  if (missing.length === 0) return [];
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  try {
    if (!findProgram('apt-get')) throw new Error(`install ${missing.join(', ')}: there is no apt-get on this system`);
    if (process.getuid() !== 0) throw new Error(`${missing.join(', ')} missing; as root, run: ${command}`);
    say(`Installing Debian packages: ${missing.join(', ')} ...`);
    aptInstall(missing);
  } catch (error) {
    if (!optional) throw error;
    say(error.message);
  }
  return missing.filter((name) => !findProgram(PROGRAM_OF[name] ?? name));
}

/**
 * clang with libFuzzer, for the fuzzers of npm run soak. Debian has the sanitizers' libraries in a package of clang's version.
 * @throws Error where it cannot be had
 */
export function ensureFuzzer() {
  const links = () =>
    spawnSync('clang++', ['-x', 'c++', '-', '-fsanitize=fuzzer', '-o', '/dev/null'], {
      input:
        '#include <stddef.h>\nextern "C" int LLVMFuzzerTestOneInput(const unsigned char *, size_t) { return 0; }\n',
    }).status === 0;
  if (links()) return;
  ensureDebian(['clang']);
  const version = /version (\d+)/.exec(spawnSync('clang', ['--version'], { encoding: 'utf8' }).stdout)?.[1];
  if (!links()) ensureDebian([`libclang-rt-${version}-dev`]);
}

/** No daemon is started, as in a container, unless the system has a policy of its own. */
function aptInstall(packages) {
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    aptGet(packages);
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

/** The package lists of a fresh machine are empty or old: they are fetched only where the first try fails. */
function aptGet(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  const log = { env, stdio: ['ignore', 'ignore', 'ignore'] };
  if (spawnSync('apt-get', install, log).status === 0) return;
  run('apt-get', ['update', '-q'], { env });
  run('apt-get', install, { env });
}

/** The environment for measured programs: NODE_EXTRA_CA_CERTS alone costs Node 40 ms at each start. */
export function plainEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name === 'NODE_EXTRA_CA_CERTS' || name.startsWith('PBOX_')) delete env[name];
  return env;
}
