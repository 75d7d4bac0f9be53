/**
 * npm test: sets up what is missing, starts one private broker and runs the test files.
 *
 *   npm test                                   every test/**\/*.test.ts
 *   npm test -- test/options/units.test.ts ...    only these files, or those below a folder
 *   npm test -- --jobs=1 --verbose             one at a time; show every assertion
 *   npm test -- --summary=FILE ...             writes the counts, skips and failures to FILE, as JSON
 *   npm run test:agent                         those that start boxes once more, with the boxes of an agent
 *   npm run test:vm, npm run test:page         those of minutes in a virtual machine, and those of the page in a browser: npm
 *                                              test leaves both out
 *
 * Each file is a tap program of its own, compiled by compile-tests.mjs and run with plain Node. tap's own runner cannot be
 * used: it puts a loader into NODE_OPTIONS of everything that the tests start, so that neither the wrapper nor the job
 * would be what users run. A file may say `// test-timeout: 300s`, `// test-alone` to have the machine for itself, `// test-beside` to
 * run from the start on the CPU time that the others leave, as a virtual machine of minutes does, `// test-waits` to run
 * beside the others because it does little but wait, `// test-command: npm run test:vm` to be left out of npm test, and, or a fixture of it, `// debian: <packages>`: they are installed
 * before; a file checks for itself what it cannot run without.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { reachableCheckout } from './reachable.mjs';
import { ensureBuild, ensureDebian, ensureNpm, root, say } from './setup.mjs';

const BROKER_VARIABLE = 'PROC_BOX_TEST_BROKER';
/** Set for the run itself, which scripts/dev/supervise.py has started. */
const SUPERVISED = 'PROC_BOX_TEST_SUPERVISED';
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const PARENT_CHECK_MS = 200;
const results = join(root, '.tap', 'results');

/** The variable with which tests run their boxes through an agent: test/fixtures/agent.ts. */
const AGENT_VARIABLE = 'PROC_BOX_TEST_AGENT';
/** What `--agent` runs: the folders whose tests start boxes through the fixtures that know the variable. */
const THROUGH_AGENT = ['test/end-to-end', 'test/broker', 'test/kernel'];
/** A part of them that every run has: it tells most, in less than a minute. */
const ALSO_THROUGH_AGENT = [
  'broker-commands',
  'launch-exit',
  'launch-failure',
  'launch-rlimit',
  'launch-signals',
  'launch-stdout',
  'launch-timer',
  'left-behind',
  'why-ended',
].map((name) => `test/end-to-end/${name}.test.ts`);

const words = process.argv.slice(2);
const options = new Map(words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=')));
const selected = words.filter((word) => !word.startsWith('--'));

/** Files that have a command of their own, `npm run test:vm` or `npm run test:page`, name it. */
const OWN_COMMAND = /^\/\/ test-command: npm run test:(\w+)$/m;
const COMMANDS = ['vm', 'page'];
const command = COMMANDS.find((name) => options.has(name));

/** Whether this is plain `npm test`, whose results .ci/run reads. */
const isWhole = selected.length === 0 && !options.has('agent') && command === undefined;

/** What a test asks for by itself or through the files that it imports: broker and build take seconds to get ready. */
const NEEDS_BROKER = /PROC_BOX_TEST_BROKER/;
const NEEDS_PACKAGES = /^\/\/ debian: (.+)$/m;
const NEEDS_BUILD = /proc_box['"`]|dist\/|build\/Release|^import (?!type\b)[^;]*'cgroup-utils-native'/m;

try {
  process.exit(process.env[SUPERVISED] ? await main() : await supervised());
} catch (error) {
  say(`npm test: ${error.message}`);
  process.exit(1);
}

/** This script once more, below a process that ends whatever the tests leave: also when the run is interrupted. */
async function supervised() {
  ensureDebian(['python3']);
  const args = ['-S', '-E', join(root, 'scripts/dev/supervise.py'), process.execPath, ...process.argv.slice(1)];
  const child = spawn('python3', args, { stdio: 'inherit', env: { ...process.env, [SUPERVISED]: '1' } });
  for (const signal of ENDING_SIGNALS) process.on(signal, () => child.kill(signal));
  // npm passes SIGTERM on to the shell between us, which dies of it and tells nobody.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_CHECK_MS);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function main() {
  const interrupted = new Promise((resolve) => {
    for (const signal of ENDING_SIGNALS) process.on(signal, () => resolve(signal));
  });
  if (isWhole) rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  ensureNpm();
  const files = testFiles();
  if (files.length === 0) throw new Error(`no test file in ${selected.join(' ') || 'test/'}`);
  // The compiler has the second core while packages are unpacked on the first.
  const building = files.some((file) => needs(file, NEEDS_BUILD)) ? build() : undefined;
  const packages = files.flatMap((file) => needs(file, NEEDS_PACKAGES)?.[1].split(' ') ?? []);
  ensureDebian([...new Set(packages)], { optional: true });
  const needsBroker = files.some((file) => needs(file, NEEDS_BROKER));
  const [broker] = await Promise.all([needsBroker ? startBroker() : undefined, building]);
  try {
    return await Promise.race([runAll(files, broker), interrupted.then(stopped)]);
  } finally {
    await broker?.stop();
  }
}

/** @returns {Promise<number>} exit status of the run */
async function runAll(files, broker) {
  const { runFiles } = await import('./tap.mjs');
  const checkout = reachableCheckout();
  process.once('exit', checkout.remove);
  const run = (names, env, folder) =>
    runFiles(names, {
      cwd: checkout.path,
      env: { ...process.env, ...(broker ? { [BROKER_VARIABLE]: broker.uri } : {}), ...env },
      results: folder,
      jobs: Number(options.get('jobs') ?? 2),
      verbose: options.has('verbose'),
    });
  const names = files.map((file) => relative(root, file));
  const throughAgent = { [AGENT_VARIABLE]: '1' };
  if (options.has('agent')) return summary(await run(names, throughAgent, join(results, 'agent')));
  const own = await run(names, {}, results);
  if (!isWhole) return summary(own);
  process.stdout.write('Through an agent:\n');
  return summary(sum(own, await run(ALSO_THROUGH_AGENT, throughAgent, join(results, 'agent'))));
}

/** @param second a run through an agent, which its results say */
function sum(first, second) {
  const marked = (items) => items.map((item) => ({ ...item, file: `${item.file} (through an agent)` }));
  return {
    passed: first.passed + second.passed,
    failed: first.failed + second.failed,
    skips: [...first.skips, ...marked(second.skips)],
    failures: [...first.failures, ...marked(second.failures)],
    unsteady: [...first.unsteady, ...marked(second.unsteady)],
  };
}

/** What a test program does not tidy up is ended by the supervisor, as soon as this process has gone. */
async function stopped(signal) {
  say(`npm test: ${signal}; ending what the tests have started ...`);
  const { stopFiles } = await import('./tap.mjs');
  await stopFiles();
  return 1;
}

/** Where only some files were asked for, a tree that does not build yet is no reason not to run them. */
async function build() {
  try {
    await ensureBuild();
  } catch (error) {
    if (selected.length === 0) throw error;
    say(`The build failed; running the tests all the same. ${error.message}`);
  }
}

/** Files as given, those below a folder as given, or all. */
function testFiles() {
  const all = options.has('agent') ? THROUGH_AGENT.map((folder) => join(root, folder)) : ['test'];
  const paths = (selected.length > 0 ? selected : all).map((path) => resolve(path));
  const files = paths.flatMap((path) => (statSync(path).isDirectory() ? below(path) : [path]));
  const commandOf = (file) => OWN_COMMAND.exec(readFileSync(file, 'utf8'))?.[1];
  const wanted = selected.length > 0 ? files : files.filter((file) => commandOf(file) === command);
  return [...new Set(wanted)].sort();
}

function below(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.ts'));
  return names.map((name) => join(folder, name));
}

/** The pattern's match in the file or in the first that it imports, or undefined. */
function needs(file, pattern, seen = new Set()) {
  if (seen.has(file)) return undefined;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  const match = pattern.exec(text);
  if (match !== null) return match;
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path]) => resolve(dirname(file), path));
  const candidates = imports.flatMap((path) => [path, path.replace(/\.js$/, '.ts')]);
  for (const path of candidates) {
    const found = isFile(path) ? needs(path, pattern, seen) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function startBroker() {
  if (process.env[BROKER_VARIABLE]) return { uri: process.env[BROKER_VARIABLE], stop: async () => {} };
  ensureDebian(['rabbitmq-server']);
  const { startBroker } = await import('./broker.mjs');
  return await startBroker();
}

/** The last line of the run, also kept for .ci/run. Nothing run is a failure. */
function summary({ passed, failed, skips, failures, unsteady }) {
  for (const { file, name, reason } of skips) say(`skipped: ${file}: ${name}: ${reason}`);
  for (const { file, name } of unsteady) say(`failed at first, passed alone: ${file}: ${name}`);
  for (const { file, name } of failures) say(`FAILED: ${file}: ${name}`);
  const line = `${passed} passed, ${failed} failed, ${skips.length} skipped`;
  const file = options.get('summary') ?? (isWhole ? join(results, 'summary.json') : undefined);
  if (file !== undefined)
    writeFileSync(file, JSON.stringify({ line, passed, failed, skips, failures, unsteady }, undefined, 2));
  process.stdout.write(`${line}\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
