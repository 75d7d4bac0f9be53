#!/usr/bin/env node
/**
 * npm run test:versions: runs the core of the tests on each version of Node, npm, RabbitMQ, Slurm and Python that sites have, and
 * writes what has passed into docs/compatibility.md.
 *
 *   npm run test:versions                      every cell of versions/cells.mjs, in about an hour
 *   npm run test:versions -- node-22 slurm     only these, and those whose id begins so
 *   npm run test:versions -- --jobs=1 ...      one test file at a time, as with npm test
 *   npm run test:versions -- --list            says which there are, what they have shown, and what has to be downloaded for them;
 *                                              exit status 1 if one was not run, or has failed
 *   npm run test:versions -- --prepare         only downloads
 *   npm run test:versions -- --table           only writes docs/compatibility.md from versions/results.json
 *
 * It needs root. Debian systems, Nodes and npms are kept in $PROC_BOX_CACHE, by default ~/.cache/proc_box: about 4 GB. Each cell runs in a
 * mount namespace of its own (versions/sandbox.sh), so that neither the checkout nor the kept systems change. Exit status: 0 if
 * no test has failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuild, ensureDebian, ensureNpm, root, say } from './setup.mjs';
import { CELLS } from './versions/cells.mjs';
import { foldersOf, missingFor, obstacle, PROGRAMS, prepare } from './versions/environments.mjs';
import { readResults, record, writeTable } from './versions/table.mjs';

const SANDBOX = join(dirname(fileURLToPath(import.meta.url)), 'versions', 'sandbox.sh');
/** Everybody may enter it: some tests run as an ordinary user. */
const WORK = '/var/tmp/proc_box-versions-';
/** What the tests need in this system: the cells of its own Debian run in it. */
const OWN_PACKAGES = [
  'rabbitmq-server',
  'slurm-client',
  'munge',
  'libslurm-dev',
  'python3',
  'python3-pika',
  'g++',
  'make',
];

const words = process.argv.slice(2);
const flags = new Set(words.filter((word) => word.startsWith('--')));
const jobs = [...flags].find((flag) => /^--jobs=\d+$/.test(flag));

let interrupted = false;
let stopRunning = () => {};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    interrupted = true;
    stopRunning(signal);
  });

try {
  process.exitCode = await main();
} catch (error) {
  say(`npm run test:versions: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const unknown = [...flags].find((flag) => flag !== jobs && !['--list', '--prepare', '--table'].includes(flag));
  if (unknown !== undefined) throw new Error(`${unknown} is not an option; see the header of scripts/dev/versions.mjs`);
  const cells = selected(words.filter((word) => !word.startsWith('--')));
  if (flags.has('--list')) return list(cells);
  if (flags.has('--table')) return writeTable(CELLS) ?? 0;
  const why = obstacle();
  if (why !== undefined) throw new Error(why);
  ensureNpm();
  ensureDebian(OWN_PACKAGES, { optional: true });
  prepare(cells);
  // Before the layers are mounted above the checkout, which must not change below them.
  await ensureBuild();
  if (flags.has('--prepare')) return 0;
  let failed = 0;
  for (const cell of cells) {
    if (interrupted) break;
    failed += await runAndRecord(cell);
  }
  return failed > 0 || interrupted ? 1 : 0;
}

/** @returns how many tests have failed. A row that could not be run counts as one, and keeps its last result. */
async function runAndRecord(cell) {
  try {
    const result = await runCell(cell);
    record(cell, result);
    writeTable(CELLS);
    const { version, passed, failed, skips } = result;
    process.stdout.write(`${cell.id} (${version}): ${passed} passed, ${failed} failed, ${skips.length} skipped\n`);
    return failed;
  } catch (error) {
    say(`npm run test:versions: ${error.message}`);
    return 1;
  }
}

function selected(names) {
  const unknown = names.find((name) => !CELLS.some(({ id }) => id.startsWith(name)));
  if (unknown !== undefined) throw new Error(`no cell ${unknown}; there are ${CELLS.map(({ id }) => id).join(', ')}`);
  return names.length === 0 ? CELLS : CELLS.filter(({ id }) => names.some((name) => id.startsWith(name)));
}

function list(cells) {
  const results = readResults();
  const lines = cells.map(({ id, subject, where }) => {
    const last = results[id];
    const told = last && `${last.version}, ${last.date}, ${last.passed} passed, ${last.failed} failed`;
    return `${id.padEnd(20)} ${subject}, ${where}: ${told ?? 'not run yet'}\n`;
  });
  process.stdout.write(`${lines.join('')}to download: ${missingFor(cells) || 'nothing'}\n`);
  return cells.every(({ id }) => results[id]?.failed === 0) ? 0 : 1;
}

/** Runs the tests of a cell. @returns its version, counts, skips, failures */
async function runCell(cell) {
  const work = mkdtempSync(WORK);
  chmodSync(work, 0o755);
  try {
    const version = versionOf(cell, work);
    say(`${cell.id}: ${cell.subject} ${version}, ${cell.where} ...`);
    const summary = join(work, 'summary.json');
    const command = [
      process.execPath,
      'scripts/dev/test.mjs',
      `--summary=${summary}`,
      ...(jobs ? [jobs] : []),
      ...cell.tests,
    ];
    const child = spawn('unshare', inSandbox(cell, work, command), {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: environment(cell),
    });
    stopRunning = (signal) => child.kill(signal);
    const [code, signal] = await once(child, 'exit');
    if (!existsSync(summary))
      throw new Error(`${cell.id}: the tests ended with ${signal ?? code} before they reported any result`);
    return { version, ...JSON.parse(readFileSync(summary, 'utf8')) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Asks the program that the tests will find. */
function versionOf(cell, work) {
  const inside = inSandbox({ ...cell, vm: false }, work, cell.version);
  const { status, stdout, stderr } = spawnSync('unshare', inside, { encoding: 'utf8', env: environment(cell) });
  if (status !== 0) throw new Error(`${cell.id}: ${cell.version.join(' ')}: ${stderr.trim()}`);
  return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim();
}

function inSandbox(cell, work, command) {
  const { tree, node } = foldersOf(cell);
  const place = cell.vm ? 'outside' : 'inside';
  return ['--mount', '--propagation', 'private', SANDBOX, work, root, tree, node, place, ...command];
}

function environment(cell) {
  const { PROC_BOX_TEST_BROKER: _broker, ...env } = process.env;
  const { npm } = foldersOf(cell);
  return npm === '-' ? env : { ...env, PATH: `${join(npm, PROGRAMS)}:${env.PATH}` };
}
