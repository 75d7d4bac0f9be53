/**
 * Sets up a fresh machine for the project's commands (test, quickstart, bench): npm packages, the build, Debian packages. Plain
 * Node without dependencies, because it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Per Debian package, a program or file that shows that it is installed, by whatever means. */
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
  postgresql: '/usr/lib/postgresql',
  rpm: 'rpmbuild',
  binutils: 'objdump',
  'bash-completion': '/usr/share/bash-completion/bash_completion',
};

/** Maintainer scripts ask this before they start a daemon. The project's own commands start the daemons that they need. */
const POLICY = '/usr/sbin/policy-rc.d';

/** The folder for downloads that are worth keeping, such as kernels and other versions of Debian. */
export function cacheFolder() {
  return process.env.PROC_BOX_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'proc_box');
}

/** @param {string} message one line on stderr: stdout is kept for results */
export function say(message) {
  process.stderr.write(`${message}\n`);
}

/** Runs a command with its output on stderr. @throws Error if it fails */
export function run(command, args, options = {}) {
  const { error, status, signal } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (error) throw new Error(`run ${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')}: ended with ${signal ?? `exit status ${status}`}`);
}

/** The first executable file of this name in PATH or the system's sbin folders, or undefined. An absolute path is kept. */
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
    return false; // ENOENT, EACCES, ENOTDIR: we cannot run it
  }
}

/** `npm ci` unless node_modules holds what package-lock.json names. */
export function ensureNpm() {
  const difference = packagesDiffer();
  if (!difference) return;
  say(`Installing npm packages (${difference}) ...`);
  run(findProgram('npm') ?? 'npm', ['ci', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

/** Compares package-lock.json with npm's record of installed packages. @returns the first difference, or undefined */
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

/** Brings bin/, dist/ and native/build up to date in a process beside this one; does nothing if they are. */
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
 * @param {{ optional?: boolean }} [options] `optional` warns instead of throwing if a package is not available
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
 * Installs clang with libFuzzer, for the fuzzers of npm run soak. Debian has the sanitizers' libraries in a package for each
 * version of clang.
 * @throws Error if it is not available
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

/** Prevents daemons from starting, as in a container, unless the system has its own policy. */
function aptInstall(packages) {
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    aptGet(packages);
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

/** Fetches the package lists, which are empty or old on a fresh machine, only if the first attempt fails. */
function aptGet(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  const log = { env, stdio: ['ignore', 'ignore', 'ignore'] };
  if (spawnSync('apt-get', install, log).status === 0) return;
  run('apt-get', ['update', '-q'], { env });
  run('apt-get', install, { env });
}

/** The environment for measured programs. NODE_EXTRA_CA_CERTS alone would cost Node 40 ms at each start. */
export function plainEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name === 'NODE_EXTRA_CA_CERTS' || name.startsWith('PBOX_')) delete env[name];
  return env;
}
