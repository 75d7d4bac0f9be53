import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Keeper, AdoptSpec as KeeperSpec } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { type AdoptionInput, adoptProcess } from '../../src/adopt/adopted-box.js';
import { systemFiles } from '../../src/options/files.js';
import type { RunOptions } from '../../src/supervise/run.js';
import { bare } from '../fixtures/adopted.js';
import { notedKeeper } from '../fixtures/life.js';
import { until } from '../fixtures/processes.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The box around a real process, with a keeper that only notes: test/kernel/adopt.test.ts has whole ones. */

const limitsOf = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'utf8');

/** @param boxWords options of the box; control groups are off */
function adoption(pid: number, boxWords: readonly string[], more: Partial<AdoptionInput> = {}) {
  const { keeper, asked } = notedKeeper();
  const runs: RunOptions[] = [];
  const events: unknown[] = [];
  const written: string[] = [];
  const endings: unknown[] = [];
  const adoption = {
    keeper: keeper as Keeper,
    options: { pid, detach: true, logFile: null, pidFile: null, boxWords: ['--cgroup', 'off', ...boxWords] },
    boxId: 'b0',
    settings: ['PBOX_CONFIG=none', 'PBOX_URI=none'],
    failsOpen: false,
    files: systemFiles(),
    loadYaml: () => createRequire(import.meta.url)('yaml'),
    environment: {},
    caller: process.pid,
    ourPids: [process.pid],
    deliverSignals() {},
    boxProcess: {
      write: (text: string) => written.push(text),
      ended: (...how: unknown[]) => endings.push(how),
    },
    loadRun: () => ({
      run(options: RunOptions) {
        runs.push(options);
        return { onKeeper: (event: unknown) => events.push(event), onSignal() {} };
      },
    }),
    ...more,
  } as unknown as AdoptionInput;
  const spec = () => asked.find(([name]) => name === 'adopt')?.[1] as KeeperSpec | undefined;
  return { adopt: () => adoptProcess(adoption), spec, runs, events, written, endings };
}

async function sleeper(t: Test, file?: string) {
  const process = bare(t, 'echo up; sleep 600 & wait', file === undefined ? {} : { file });
  if (file === undefined) await process.says('up');
  else await until(() => readFileSync(file, 'utf8').includes('up'), 'it is up');
  await until(() => process.members().length === 2, 'its child runs');
  return process;
}

t.test('the limits of every process are set before the keeper adopts them', async (t) => {
  const process = await sleeper(t);
  const { adopt, spec } = adoption(process.pid, ['--rlimit', 'nofile=64:65']);
  const { warnings } = adopt();
  t.strictSame(warnings, []);
  for (const pid of process.members()) t.match(limitsOf(pid), /Max open files +64 +65 /);
  t.match(spec(), { pid: process.pid, cgroup: { procsFile: null }, stdoutMaxBytes: Number });
  t.ok(spec()!.startTicks > 0);
});

t.test('the process that asks and the processes between it and the main process stay outside the box', async (t) => {
  const process_ = await sleeper(t);
  const [, child] = process_.members().sort((a, b) => a - b);
  const { adopt, spec } = adoption(process_.pid, [], { caller: child! });
  adopt();
  t.ok(spec()!.excluded.includes(child!));
  t.ok(spec()!.excluded.includes(process.pid), 'the supervisor stays outside, too');
  t.throws(adoption(process.pid, []).adopt, { name: 'SpecError', message: /is not a job/ });
});

t.test('supervision begins once the keeper has adopted the process', async (t) => {
  const process = await sleeper(t);
  const { adopt, runs, events } = adoption(process.pid, ['--timeout', '1h']);
  const { run } = adopt();
  t.strictSame(runs, [], 'nothing is loaded before that');
  run.onKeeper({ type: 'started', pid: process.pid, atMs: 1 });
  t.match(runs, [
    { spec: { command: ['sh', '-c', /^echo up/], timeoutMs: 3_600_000 }, hello: { stdoutMode: 'other' } },
  ]);
  t.match(events, [{ type: 'started' }]);
  run.onKeeper({ type: 'gone' });
  t.equal(events.length, 2);
});

t.test('a process that ends before the keeper adopts it is reported, as is a keeper that dies', async (t) => {
  const process = await sleeper(t);
  const { adopt, written, endings } = adoption(process.pid, []);
  const { run } = adopt();
  run.onKeeper({ type: 'failed', step: 'adopt', code: 'ESRCH' } as never);
  t.strictSame(written, [`proc_box: error: --pid ${process.pid}: it has ended\n`]);
  t.strictSame(endings, [[125, null]]);
  const other = adoption(process.pid, []);
  other.adopt().run.onKeeper({ type: 'gone' });
  t.strictSame(other.written, ['proc_box: error: the keeper has died; the process goes on alone\n']);
});

t.test('a limit for a stdout that is not a file leads to a warning, with --enforce strict to a refusal', async (t) => {
  const process = await sleeper(t);
  t.match(adoption(process.pid, ['--stdoutlimit', '1M']).adopt().warnings, [
    new RegExp(`^--stdoutlimit has no effect: stdout of ${process.pid} is not a file`),
  ]);
  t.throws(adoption(process.pid, ['--stdoutlimit', '1M', '--enforce', 'strict']).adopt, {
    name: 'EnvironmentError',
    message: /\(--enforce strict\)$/,
  });
  const file = await sleeper(t, join(temporaryFolder(t), 'out'));
  const counted = adoption(file.pid, ['--stdoutlimit', '1M']);
  t.strictSame(counted.adopt().warnings, []);
  t.equal(counted.spec()!.stdoutMaxBytes, 1_048_576);
});

t.test('if --enforce strict cannot be met, the process stays without a box and as it was', async (t) => {
  const process = await sleeper(t);
  const words = ['--pids', '10', '--enforce', 'strict', '--rlimit', 'nofile=64:65'];
  const { adopt, spec } = adoption(process.pid, words);
  t.throws(adopt, { name: 'EnvironmentError', message: /pids is held by sampling only/ });
  t.equal(spec(), undefined);
  t.notMatch(limitsOf(process.pid), /Max open files +64 +65 /);
  const open = adoption(process.pid, words, { failsOpen: true });
  const { warnings } = open.adopt();
  t.match(
    warnings.join('\n'),
    /pids is held by sampling only.*; the process is boxed with those of its limits that can be held/,
  );
  t.ok(open.spec(), '--failure open boxes it with the limits that can be held');
  t.match(limitsOf(process.pid), /Max open files +64 +65 /);
});
