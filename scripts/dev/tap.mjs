/** Runs tap programs side by side and counts what they report, nested assertion by nested assertion. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { Parser } from 'tap-parser';
import { compileTests } from './compile-tests.mjs';

const DEFAULT_TIMEOUT_SEC = 200;
/** From SIGTERM, on which tap reports what it was waiting for, to SIGKILL. */
const GRACE_MS = 5000;

/** What runs beside the others takes the CPU time that they leave. */
const BESIDE_NICE = 5;
const running = new Set();
let stopped = false;

/** Asks every test program that runs to end, and waits for those that tidy up. */
export async function stopFiles() {
  stopped = true;
  const ends = [...running].map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of running) killGroup(child, 'SIGTERM');
  await Promise.race([Promise.all(ends), new Promise((resolve) => setTimeout(resolve, GRACE_MS))]);
}

/** More files than these failing is no matter of chance. */
const SECOND_TRIES_MAX = 4;

/**
 * A file that fails is run once more at the end, with the machine for itself: bounds on time and races with what runs
 * beside it break on a machine that stands still for a second. The second run counts; what failed in the first is named.
 *
 * @param {string[]} files paths from `cwd`, which the results name, too
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, results: string, jobs: number, verbose: boolean }} given
 * @returns counts, each skip and failure by name, and what failed in a first run only
 */
export async function runFiles(files, given) {
  const options = { ...given, programs: await compileTests(files, given.cwd) };
  const results = new Map();
  const marked = (mark) => files.filter((file) => textOf(file, options).split('\n').includes(`// ${mark}`));
  const [alone, beside, waiting] = ['test-alone', 'test-beside', 'test-waits'].map(marked);
  const apart = new Set([...alone, ...beside, ...waiting]);
  // Those that may take long begin first, so that none of them is left with one core idle at the end.
  const together = files
    .filter((file) => !apart.has(file))
    .sort((one, other) => timeoutSec(other, options) - timeoutSec(one, options));
  const workers = async (queue, jobs) => {
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) {
        results.set(file, await runFile(file, { ...options, nice: queue === beside }));
      }
    };
    await Promise.all(Array.from({ length: jobs }, worker));
  };
  await Promise.all([workers(together, options.jobs), workers(beside, 1), workers(waiting, 1)]);
  await workers(alone, 1);

  const unsteady = [];
  const failed = [...results].filter(([, result]) => result.failed > 0);
  if (failed.length <= SECOND_TRIES_MAX) {
    for (const [file, first] of failed) {
      process.stdout.write(`once more, alone: ${file}\n`);
      const second = await runFile(file, options);
      results.set(file, second);
      if (second.failed === 0) unsteady.push(...first.failures);
    }
  }
  const total = { passed: 0, failed: 0, skips: [], failures: [], unsteady };
  for (const result of results.values()) add(total, result);
  return total;
}

function textOf(file, { cwd }) {
  return readFileSync(join(cwd, file), 'utf8');
}

function timeoutSec(file, options) {
  return Number(/^\/\/ test-timeout: (\d+)s/m.exec(textOf(file, options))?.[1] ?? DEFAULT_TIMEOUT_SEC);
}

/** Never settles once the run has been stopped: nothing more is started or reported. */
async function runFile(file, options) {
  if (stopped) return new Promise(() => {});
  const started = process.hrtime.bigint();
  const { output, end } = await outputOf(file, options);
  if (stopped) return new Promise(() => {});
  const result = count(file, output);
  if (end && result.failed === 0) fail(result, file, end);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const raw = join(options.results, `${file}.tap`);
  mkdirSync(dirname(raw), { recursive: true });
  writeFileSync(raw, output);
  const mark = result.failed > 0 ? 'FAIL' : 'ok  ';
  process.stdout.write(`${mark} ${file} (${result.passed} passed, ${seconds.toFixed(1)} s)\n`);
  for (const { name, diag } of result.failures) process.stdout.write(`     ${name}\n${indented(diag)}`);
  if (options.verbose) process.stdout.write(output);
  return result;
}

/** Output, and why the program is to be counted as failed even if its assertions passed. */
async function outputOf(file, options) {
  const { cwd, env, nice = false } = options;
  const seconds = timeoutSec(file, options);
  const program = options.programs.get(file);
  // A file that does not compile says so by itself.
  const words = program === undefined ? ['--import', 'tsx', file] : ['--enable-source-maps', program];
  const child = spawn(process.execPath, words, {
    cwd,
    env: { ...env, TAP_TIMEOUT: String(seconds) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, to end what a stuck test has started
  });
  if (nice) setPriority(child.pid, BESIDE_NICE);
  running.add(child);
  let late = false;
  const kill = (signal) => {
    late = true;
    killGroup(child, signal);
  };
  const timers = [
    setTimeout(kill, (seconds + 5) * 1000, 'SIGTERM'),
    setTimeout(kill, (seconds + 5) * 1000 + GRACE_MS, 'SIGKILL'),
  ];
  const chunks = [];
  const errors = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => errors.push(chunk));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...args) => resolve(args));
  });
  running.delete(child);
  timers.forEach(clearTimeout);
  const stderr = Buffer.concat(errors).toString();
  if (code !== 0 && stderr) process.stdout.write(indented(stderr));
  const end = late
    ? `not done after ${seconds} s`
    : code !== 0
      ? `ended with ${signal ?? `exit status ${code}`}`
      : undefined;
  return { output: Buffer.concat(chunks).toString(), end };
}

function killGroup({ pid }, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Counts assertions; a subtest's own line only where it carries a skip or fails without a failed assertion in it. */
function count(file, output) {
  const result = { passed: 0, failed: 0, skips: [], failures: [] };
  const visit = (parser, path) => {
    let inside;
    let before = 0;
    parser.on('child', (child) => {
      before = result.failed;
      inside = child.name;
      visit(child, [...path, child.name]);
    });
    parser.on('assert', (assert) => {
      const subtest = inside !== undefined && assert.name.startsWith(inside);
      inside = undefined;
      const name = [...path, assert.name].join(' > ');
      if (assert.skip)
        result.skips.push({ file, name, reason: assert.skip === true ? 'no reason given' : assert.skip });
      else if (assert.todo) result.skips.push({ file, name, reason: `to do: ${assert.todo}` });
      else if (assert.ok && !subtest) result.passed += 1;
      else if (!assert.ok && (!subtest || result.failed === before)) fail(result, file, name, assert.diag);
    });
    parser.on('bailout', (reason) => fail(result, file, `bail out: ${reason}`));
  };
  const parser = new Parser();
  visit(parser, []);
  parser.on('complete', ({ ok, failures }) => {
    if (ok || result.failed > 0) return;
    for (const { tapError, name } of failures) fail(result, file, tapError ?? name ?? 'no valid TAP');
    if (result.failed === 0) fail(result, file, 'failed');
  });
  parser.end(output);
  if (result.passed + result.failed + result.skips.length === 0) fail(result, file, 'no assertion was run');
  return result;
}

function fail(result, file, name, diag) {
  result.failed += 1;
  const { at, stack, ...rest } = diag ?? {};
  const lines = Object.entries(rest).map(
    ([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const place = at ? [`at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`] : [];
  result.failures.push({ file, name, diag: [...place, ...lines, stack ?? ''].join('\n') });
}

function add(total, { passed, failed, skips, failures }) {
  total.passed += passed;
  total.failed += failed;
  total.skips.push(...skips);
  total.failures.push(...failures);
}

function indented(text) {
  return text.trim() === '' ? '' : `${text.trimEnd().replaceAll(/^/gm, '       ')}\n`;
}
