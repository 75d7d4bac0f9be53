/**
 * npm run package: makes the packages of this checkout for this architecture, in packages/ or the folder that --out names.
 *
 *   npm run package [-- [--out=DIR] [--release=N] deb rpm tarball npm]      without words: all four kinds
 *
 * The same checkout gives the same bytes: times are SOURCE_DATE_EPOCH, by default that of the last commit, and nothing depends on
 * the folder, the user, the umask or the clock. contents.mjs says what each package holds; stage.mjs lays it out; deb.mjs, rpm.mjs and
 * tarball.mjs pack it. Needs dpkg-deb, rpmbuild (Debian: rpm), objdump, and npm for the Node that is carried.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensureDebian, ensureNpm, findProgram, root, run, say } from '../dev/setup.mjs';
import { PACKAGES, PREFIX, PROGRAM, SHARED } from './contents.mjs';
import { makeDeb } from './deb.mjs';
import { checkNative } from './needs.mjs';
import { nodeFolder } from './node.mjs';
import { makeRpm } from './rpm.mjs';
import { stage, write } from './stage.mjs';
import { makeTarball } from './tarball.mjs';

const KINDS = { deb: debs, rpm: rpms, tarball, npm };
const MIB = 1024 * 1024;

try {
  process.umask(0o022);
  await main();
} catch (error) {
  say(`npm run package: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { out: { type: 'string', default: 'packages' }, release: { type: 'string', default: '1' } },
    allowPositionals: true,
  });
  const unknown = positionals.find((kind) => !(kind in KINDS));
  if (unknown !== undefined) throw new Error(`${unknown} is not a kind of package: ${Object.keys(KINDS).join(', ')}`);
  ensureNpm();
  ensureDebian(['rpm', 'binutils'], { optional: true });
  await ensureBuild();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const glibc = checkNative(root);
  const work = mkdtempSync(join(tmpdir(), 'proc_box-package-'));
  try {
    const made = join(work, 'made');
    run(process.execPath, ['--import', 'tsx', join(root, 'scripts/package/manual/write.ts'), made, String(epoch())]);
    const input = {
      version,
      release: values.release,
      glibc,
      work,
      made,
      epochSec: epoch(),
      out: resolve(root, values.out),
    };
    const kinds = positionals.length > 0 ? positionals : Object.keys(KINDS);
    say(`The native parts need glibc ${glibc} or newer. bin/proc_box needs no glibc.`);
    for (const kind of kinds) for (const path of KINDS[kind](input)) show(path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Seconds since 1970 of everything in the packages. */
function epoch() {
  const { SOURCE_DATE_EPOCH } = process.env;
  if (/^\d+$/.test(SOURCE_DATE_EPOCH ?? '')) return Number(SOURCE_DATE_EPOCH);
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  const seconds = Number(stdout?.trim());
  if (seconds > 0) return seconds;
  throw new Error(
    'this is not a git checkout: set SOURCE_DATE_EPOCH to the timestamp for the packages, in seconds since 1970',
  );
}

/** The packages whose parts are built. */
function ready() {
  return Object.entries(PACKAGES).filter(
    ([, { when }]) => when === undefined || statSync(join(root, when), { throwIfNoEntry: false }),
  );
}

function debs(input) {
  return ready().map(([name, row]) => {
    const { tree, configuration } = systemTree(name, row, 'deb', input);
    return makeDeb({ ...input, name, row, tree, configuration, version: `${input.version}-${input.release}` });
  });
}

function rpms(input) {
  return ready().map(([name, row]) => {
    const { tree, configuration } = systemTree(name, row, 'rpm', input);
    return makeRpm({ ...input, name, row, tree, configuration });
  });
}

/** The files of a package as they lie below `/`. */
function systemTree(name, row, kind, { work, made, version }) {
  const tree = join(work, kind, name);
  mkdirSync(tree, { recursive: true });
  const rpmPlace = (to) => to.replace('/zsh/vendor-completions/', '/zsh/site-functions/');
  const rows = kind === 'rpm' ? row.files.map((one) => ({ ...one, to: rpmPlace(one.to) })) : row.files;
  const configuration = stage({ root, made, target: tree, rows });
  if (row.node !== undefined) {
    layNode(join(tree, row.node));
    stage({
      root: nodeFolder(),
      made,
      target: tree,
      rows: [{ from: 'LICENSE', to: `/usr/share/doc/${name}/copyright` }],
    });
  }
  if (name === 'proc-box') addProgramFiles(join(tree, PREFIX), kind, version);
  return { tree, configuration };
}

function tarball({ version, work, made, epochSec, out }) {
  const folder = `proc_box-${version}-linux-${process.arch}`;
  const tree = join(work, 'tarball', folder);
  mkdirSync(tree, { recursive: true });
  const rows = [
    ...PROGRAM,
    ...SHARED.map((row) => ({ ...row, to: `share/${row.to}` })),
    { from: 'docs/', to: 'docs/' },
    { from: 'README.md', to: './' },
    { from: 'CHANGELOG.md', to: './' },
    { link: '../scripts/site/pbs/qsub-box', to: 'bin/qsub-box' },
  ];
  stage({ root, made, target: tree, rows });
  layNode(join(tree, 'node'));
  addProgramFiles(tree, 'tarball', version);
  return [makeTarball({ tree, folder, epochSec, out })];
}

/** bin/node and the licence of a Node that only proc_box uses. */
function layNode(target) {
  const rows = [
    { from: 'bin/node', to: 'bin/', mode: 0o755 },
    { from: 'LICENSE', to: './' },
  ];
  stage({ root: nodeFolder(), made: '', target, rows });
}

/** What tells `proc_box check` how it was installed, and Node that dist/qsub.js is a module. */
function addProgramFiles(folder, kind, version) {
  write(join(folder, 'package-kind'), `${kind}\n`);
  write(
    join(folder, 'package.json'),
    `${JSON.stringify({ name: 'proc_box', version, license: 'MIT', type: 'module' }, undefined, 2)}\n`,
  );
}

function npm({ out, version }) {
  mkdirSync(out, { recursive: true });
  run(findProgram('npm') ?? 'npm', ['pack', '--silent', '--pack-destination', out], { stdio: ['ignore', 'ignore', 2] });
  const path = join(out, `proc_box-${version}.npm.tgz`);
  renameSync(join(out, `proc_box-${version}.tgz`), path);
  return [path];
}

function show(path) {
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  process.stdout.write(`${digest}  ${basename(path)}  ${(statSync(path).size / MIB).toFixed(2)} MiB\n`);
}
