/** Provides what the cells need, in folders of a cache: Debian systems by debootstrap, Node and npm from npm's registry. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, ensureDebian, findProgram, run, say } from '../setup.mjs';

/** Increase this when the content of the folders changes. */
const FORMAT = 1;
const MIRROR = process.env.PROC_BOX_DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
/** What the tests of brokers, Slurm, and PBS run, and what the SPANK plugin is built with. */
const PACKAGES = [
  ...['rabbitmq-server', 'slurmctld', 'slurmd', 'slurm-client', 'slurm-wlm-basic-plugins', 'munge', 'libslurm-dev'],
  ...[
    'g++',
    'make',
    'python3',
    'python3-pika',
    'procps',
    'iproute2',
    'openssl',
    'dumb-init',
    'tini',
    'ca-certificates',
  ],
];
/** Sizes in MB, downloaded and on disk, as of the end of 2026. */
const SIZES = { suite: [330, 1100], node: [55, 270], npm: [3, 12] };

const folderOf = (name) => join(cacheFolder(), `versions-${FORMAT}`, name);

/**
 * The folders that a cell uses, or `-` where this system's own is meant.
 * @param {import('./cells.mjs').Cell} cell
 */
export function foldersOf({ suite, node, npm }) {
  return {
    tree: suite === undefined || suite === ownSuite() ? '-' : folderOf(suite),
    node: node === undefined || node === process.versions.node.split('.')[0] ? '-' : folderOf(`node-${node}`),
    npm: npm === undefined ? '-' : folderOf(`npm-${npm}`),
  };
}

/** Says what has to be downloaded for the cells, and downloads it. */
export function prepare(cells) {
  const told = missingFor(cells);
  if (told !== '') say(`Downloading ${told} ...`);
  for (const [path, { kind, name }] of missing(cells)) MAKERS[kind](path, name);
}

/** What has to be downloaded for the cells, and its size; empty if nothing is missing. */
export function missingFor(cells) {
  const all = [...missing(cells).values()];
  if (all.length === 0) return '';
  const total = (index) => all.reduce((sum, { kind }) => sum + SIZES[kind][index], 0);
  const names = all.map(({ kind, name }) => (kind === 'suite' ? `Debian ${name}` : `${kind} ${name}`));
  return `${names.join(', ')}: about ${total(0)} MB, ${total(1)} MB in ${folderOf('')}`;
}

function missing(cells) {
  const found = new Map();
  for (const cell of cells) {
    const { tree, node, npm } = foldersOf(cell);
    for (const [path, kind, name] of [
      [tree, 'suite', cell.suite],
      [node, 'node', cell.node],
      [npm, 'npm', cell.npm],
    ])
      if (path !== '-' && !existsSync(path)) found.set(path, { kind, name });
  }
  return found;
}

const MAKERS = {
  suite: inOneStep((folder, suite) => {
    ensureDebian(['debootstrap']);
    const include = `--include=${PACKAGES.join(',')}`;
    // In a mount namespace, so that what debootstrap mounts in the folder never outlives it.
    const words = ['--mount', '--propagation', 'private', findProgram('debootstrap'), '--variant=minbase', include];
    run('unshare', [...words, suite, folder, MIRROR], { stdio: ['ignore', 'ignore', 2] });
    run('rm', ['-rf', join(folder, 'var/cache/apt/archives'), join(folder, 'var/lib/apt/lists')]);
  }),
  node: inOneStep((folder, major) => unpackNpm(folder, `node-linux-${process.arch}@${major}`)),
  npm: inOneStep((folder, major, path) => {
    unpackNpm(folder, `npm@${major}`);
    // Its own bin/npm would run the npm beside Node instead.
    mkdirSync(join(folder, PROGRAMS));
    writeFileSync(join(folder, PROGRAMS, 'npm'), `#!/bin/sh\nexec node '${path}/bin/npm-cli.js' "$@"\n`, {
      mode: 0o755,
    });
  }),
};

/** The folder of an npm that goes into PATH. */
export const PROGRAMS = 'programs';

/** Makes the folder under another name first, so that one that exists is whole. */
function inOneStep(make) {
  return (path, name) => {
    const fresh = `${path}.new`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    make(fresh, name, path);
    renameSync(fresh, path);
  };
}

/** The newest version that the range allows, without its install scripts. */
function unpackNpm(folder, range) {
  run(findProgram('npm') ?? 'npm', ['pack', '--silent', `--pack-destination=${folder}`, range]);
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('tar', ['-xzf', join(folder, archive), '-C', folder, '--strip-components=1']);
  rmSync(join(folder, archive));
}

/** The code name of this system if it is a Debian. */
function ownSuite() {
  if (!existsSync('/etc/os-release')) return undefined;
  return /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
}

/** Why cells cannot run here, or undefined. */
export function obstacle() {
  if (process.getuid() !== 0) return 'only root can create mount namespaces and start Slurm: run it as root';
  const { status, stderr } = spawnSync('unshare', ['--mount', 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `unshare --mount: ${stderr.trim()}`;
}
