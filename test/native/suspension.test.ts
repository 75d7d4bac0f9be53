// test-waits
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { removeGroups } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import { unique } from '../fixtures/broker.js';
import { ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { processState, readProc, until } from '../fixtures/processes.js';

/** What a process knows of its own suspensions, beside what the test has done to it. */

const EXACT_MS = 50;
const watcherFile = new URL('../fixtures/watcher.mjs', import.meta.url).pathname;

interface Watcher {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Asks, and waits for the answer. */
  ask(line?: string): Promise<number>;
  /** How often it was told. */
  told(): number;
}

async function watcher(t: Test, through: readonly string[] = []): Promise<Watcher> {
  const [program = '', ...args] = [...through, process.execPath, watcherFile];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  child.stdout?.on('data', (chunk) => lines.push(...String(chunk).split('\n').filter(Boolean)));
  const answers = () => lines.filter((line) => line.startsWith('total'));
  await until(() => lines.length > 0, 'it is ready');
  return {
    pid: child.pid as number,
    child,
    async ask(line = 'total') {
      const before = answers().length;
      child.stdin?.write(`${line}\n`);
      await until(() => answers().length > before, 'it answers', 30_000);
      return Number(answers().at(-1)?.split(' ')[1]);
    },
    told: () => lines.filter((line) => line.startsWith('suspended')).length,
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Holds a process for about so long. @returns for how long at least and at most, as the test has seen it */
async function held(ms: number, hold: () => void, isHeld: () => boolean, release: () => void) {
  const before = performance.now();
  hold();
  await until(isHeld, 'it is held');
  const from = performance.now();
  await pause(ms);
  const least = performance.now() - from;
  release();
  return { least, most: performance.now() - before };
}

function isExact(t: Test, { least, most }: { least: number; most: number }, said: number) {
  const within = said >= least - EXACT_MS && said <= most + EXACT_MS;
  t.ok(within, `held for ${least.toFixed(1)} to ${most.toFixed(1)} ms: it says ${said.toFixed(1)}`);
}

const STOPS = [200, 700, 1500, 3000];

t.test('SIGSTOP and SIGCONT, to 50 ms', async (t) => {
  const { pid, ask, told } = await watcher(t);
  let before = await ask();
  for (const [at, ms] of STOPS.entries()) {
    const span = await held(
      ms,
      () => process.kill(pid, 'SIGSTOP'),
      () => processState(pid)?.state === 'T',
      () => process.kill(pid, 'SIGCONT'),
    );
    const now = await ask();
    isExact(t, span, now - before);
    before = now;
    await until(() => told() > at, 'it is told of each');
  }
});

for (const [name, skip, group, write, isFrozen] of [
  [
    'the v1 freezer',
    withoutV1('freezer'),
    'freezer',
    (dir: string, on: boolean) => writeFileSync(join(dir, 'freezer.state'), on ? 'FROZEN' : 'THAWED'),
    (dir: string) => readProc(join(dir, 'freezer.state'))?.trim() === 'FROZEN',
  ],
  [
    'the v2 freezer',
    readProc(`${ownGroup('v2')}/cgroup.procs`) === undefined ? 'needs cgroup2' : false,
    'v2',
    (dir: string, on: boolean) => writeFileSync(join(dir, 'cgroup.freeze'), on ? '1' : '0'),
    (dir: string) => /frozen 1/.test(readProc(join(dir, 'cgroup.events')) ?? ''),
  ],
] as const) {
  t.test(`${name}, to 50 ms`, { skip: process.geteuid?.() === 0 ? skip : 'needs root' }, async (t) => {
    const { pid, ask, child } = await watcher(t);
    const dir = join(ownGroup(group) as string, unique('proc_box-test'));
    mkdirSync(dir);
    t.teardown(async () => {
      write(dir, false);
      child.kill('SIGKILL');
      await until(() => (readProc(join(dir, 'cgroup.procs')) ?? '') === '', 'the group is empty');
      await until(() => removeGroups(dir) === null, 'the group has gone');
    });
    writeFileSync(join(dir, 'cgroup.procs'), String(pid));
    let before = await ask();
    for (const ms of STOPS) {
      const span = await held(
        ms,
        () => write(dir, true),
        () => isFrozen(dir),
        () => write(dir, false),
      );
      const now = await ask();
      isExact(t, span, now - before);
      before = now;
    }
  });
}

t.test('a blocked event loop is no suspension', async (t) => {
  const { ask, told } = await watcher(t);
  t.equal(await ask('block 2500'), 0);
  t.equal(told(), 0);
});

t.test('waiting for a CPU is no suspension', async (t) => {
  const { ask } = await watcher(t, ['nice', '-n', '19']);
  const spinners = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  );
  t.teardown(() => {
    for (const child of spinners) child.kill('SIGKILL');
  });
  await pause(3000);
  t.equal(await ask(), 0);
});
