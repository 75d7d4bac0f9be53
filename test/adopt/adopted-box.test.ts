import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Keeper, AdoptSpec as KeeperSpec } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { type AdoptionInput, adoptProcess } from '../../src/adopt/adopted-box.js';
import { runInKeeper } from '../../src/kernel/run-task.js';
import { systemFiles } from '../../src/options/files.js';
import type { RunOptions } from '../../src/supervise/run.js';
import { bare } from '../fixtures/adopted.js';
import { host } from '../fixtures/keeper.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The box around a real process that a real keeper holds, without supervision: test/kernel/adopt.test.ts has whole ones. */

const limitsOf = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'utf8');

/** @param boxWords options of the box; control groups are off */
async function adoption(t: Test, pid: number, boxWords: readonly string[], more: Partial<AdoptionInput> = {}) {
  const { keeper, event, events: ofKeeper } = host(t, ['adopt', '--pid', String(pid)]);
  const shown = await event('process');
  const specs: KeeperSpec[] = [];
  const noted = new Proxy(keeper, {
    get: (target, name: keyof Keeper) => {
      if (name === 'adopt') return (spec: KeeperSpec) => specs.push(spec);
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const runs: RunOptions[] = [];
  const events: unknown[] = [];
  const written: string[] = [];
  const endings: unknown[] = [];
  const files = systemFiles();
  const adoption = {
    keeper: noted,
    shown,
    uid: process.getuid!(),
    opensAsOwner: true,
    options: { pid, detach: true, logFile: null, pidFile: null, boxWords: ['--cgroup', 'off', ...boxWords] },
    boxId: 'b0',
    settings: ['PBOX_CONFIG=none', 'PBOX_URI=none'],
    failsOpen: false,
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    environment: {},
    folder: '/',
    frontPid: process.pid,
    ourPids: [process.pid, keeper.pid],
    withFiles: async (parse: (from: typeof files) => unknown) => parse(files),
    run: (task: Parameters<typeof runInKeeper>[1]) => runInKeeper(keeper, task),
    deliverSignals() {},
    boxProcess: {
      write: (text: string) => written.push(text),
      ended: (...how: unknown[]) => endings.push(how),
    },
    loadRun: () => ({
      run(options: RunOptions) {
        runs.push(options);
        return { onKeeper: (event: unknown) => events.push(event), async onSignal() {} };
      },
    }),
    ...more,
  } as unknown as AdoptionInput;
  return {
    adopt: () => adoptProcess(adoption),
    shown,
    spec: () => specs.at(-1),
    runs,
    events,
    written,
    endings,
    ofKeeper,
  };
}

async function sleeper(t: Test, file?: string) {
  const process = bare(t, 'echo up; sleep 600 & wait', file === undefined ? {} : { file });
  if (file === undefined) await process.says('up');
  else await until(() => readFileSync(file, 'utf8').includes('up'), 'it is up');
  await until(() => process.members().length === 2, 'its child runs');
  return process;
}

t.test('the limits of every process are set before the keeper puts the box in force', async (t) => {
  const process = await sleeper(t);
  const { adopt, spec } = await adoption(t, process.pid, ['--rlimit', 'nofile=64:65']);
  const { warnings } = await adopt();
  t.strictSame(warnings, []);
  for (const pid of process.members()) t.match(limitsOf(pid), /Max open files +64 +65 /);
  t.match(spec(), { awaitExec: false, cgroup: { procsFile: null }, stdoutMaxBytes: Number });
});

t.test('the wrapper is no job', async (t) => {
  const { adopt } = await adoption(t, process.pid, []);
  await t.rejects(adopt(), { name: 'SpecError', message: /is not a job/ });
});

t.test('supervision begins once the keeper has adopted the process', async (t) => {
  const process = await sleeper(t);
  const { adopt, shown, runs, events } = await adoption(t, process.pid, ['--timeout', '1h']);
  const { run } = await adopt();
  t.strictSame(runs, [], 'nothing is loaded before that');
  run.onKeeper({ ...shown, command: 'later' });
  run.onKeeper({ type: 'started', pid: process.pid, atMs: 1 });
  t.match(runs, [{ spec: { command: ['later'], timeoutMs: 3_600_000 }, hello: { stdoutMode: 'other' } }]);
  t.match(events, [{ type: 'started' }]);
  run.onKeeper({ type: 'gone' });
  t.equal(events.length, 2);
});

t.test('a process that ends before the keeper adopts it is reported, as is a keeper that dies', async (t) => {
  const process = await sleeper(t);
  const { adopt, written, endings } = await adoption(t, process.pid, []);
  const { run } = await adopt();
  run.onKeeper({ type: 'failed', step: 'adopt', code: 'ESRCH' } as never);
  t.strictSame(written, [`proc_box: error: --pid ${process.pid}: it has ended\n`]);
  t.strictSame(endings, [[125, null]]);
  const other = await adoption(t, process.pid, []);
  (await other.adopt()).run.onKeeper({ type: 'gone' });
  t.strictSame(other.written, ['proc_box: error: the keeper has died; the process goes on alone\n']);
});

t.test('a limit for a stdout that is not a file leads to a warning, with --enforce strict to a refusal', async (t) => {
  const process = await sleeper(t);
  const { adopt } = await adoption(t, process.pid, ['--stdoutlimit', '1M']);
  t.match((await adopt()).warnings, [
    new RegExp(`^--stdoutlimit has no effect: stdout of ${process.pid} is not a file`),
  ]);
  const strict = await adoption(t, process.pid, ['--stdoutlimit', '1M', '--enforce', 'strict']);
  await t.rejects(strict.adopt(), { name: 'EnvironmentError', message: /\(--enforce strict\)$/ });
  const file = await sleeper(t, join(temporaryFolder(t), 'out'));
  const counted = await adoption(t, file.pid, ['--stdoutlimit', '1M']);
  t.strictSame((await counted.adopt()).warnings, []);
  t.equal(counted.spec()!.stdoutMaxBytes, 1_048_576);
});

t.test('if --enforce strict cannot be met, the process stays without a box and as it was', async (t) => {
  const process = await sleeper(t);
  const words = ['--pids', '10', '--enforce', 'strict', '--rlimit', 'nofile=64:65'];
  const { adopt, spec } = await adoption(t, process.pid, words);
  await t.rejects(adopt(), { name: 'EnvironmentError', message: /pids is held by sampling only/ });
  t.equal(spec(), undefined);
  t.notMatch(limitsOf(process.pid), /Max open files +64 +65 /);
  const open = await adoption(t, process.pid, words, { failsOpen: true });
  const { warnings } = await open.adopt();
  t.match(
    warnings.join('\n'),
    /pids is held by sampling only.*; the process is boxed with those of its limits that can be held/,
  );
  t.ok(open.spec(), '--failure open boxes it with the limits that can be held');
  t.match(limitsOf(process.pid), /Max open files +64 +65 /);
});
