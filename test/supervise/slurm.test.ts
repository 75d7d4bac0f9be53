import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { Box } from '../../src/box/box.js';
import { followJobEnd, killAtMs, tidyAfterOthers, untilStepdRests, warnOfNoNotice } from '../../src/supervise/slurm.js';
import { linesLogger } from '../fixtures/light.js';
import { slurmTool } from '../fixtures/slurm-tools.js';

interface Timer {
  readonly elapsed_ms?: number;
  readonly remaining_ms?: number | null;
  readonly limit_ms?: number | null;
  readonly source?: string;
}

/** Follows until the log says something, or the box is told. */
async function follow(asked: boolean, timer: Timer = {}) {
  const { log, lines } = linesLogger();
  const { elapsed_ms = 10_000, remaining_ms = null, limit_ms = null, source = 'scheduler' } = timer;
  const followed: number[] = [];
  let done!: () => void;
  const told = new Promise<void>((resolve) => {
    done = resolve;
  });
  const box = {
    limits: new Map([['timeout', { source }]]),
    clock: { status: () => ({ elapsed_ms, remaining_ms, limit_ms }) },
    followScheduler: (ms: number) => followed.push(ms),
  } as unknown as Box;
  const noticed = {
    ...log,
    info(text: string) {
      log.info(text);
      done();
    },
    warn(text: string) {
      log.warn(text);
      done();
    },
  };
  const alive = setTimeout(() => {}, 20_000);
  const close = followJobEnd({ box, log: noticed, environment: { SLURM_JOB_ID: '12' }, frontPid: process.pid }, asked);
  await told;
  close();
  clearTimeout(alive);
  return { lines, followed };
}

const endIn = (t: Test, seconds: number) =>
  slurmTool(t, 'squeue', `echo "12 ${Math.round(Date.now() / 1000) + seconds} 1:00:00"`);

t.test("the limit is a little before the job's end", async (t) => {
  endIn(t, 3600);
  const { lines, followed } = await follow(true);
  t.ok(Math.abs(followed[0]! - (10_000 + 3_595_000)) < 2_000, `${followed[0]}`);
  t.match(lines, [/the job ends in (1 h|59 min 59 s): the box stops itself in 59 min 5[3-6] s \(scheduler\)/]);
});

t.test('a job without an end has no limit', async (t) => {
  slurmTool(t, 'squeue', 'echo "12 NONE UNLIMITED"');
  const { lines, followed } = await follow(true, { limit_ms: 60_000 });
  t.strictSame(followed, [0]);
  t.match(lines, [/the job has no time limit, so the box has no wall clock limit \(scheduler\)/]);
});

t.test('without an answer the box goes on, with a warning', async (t) => {
  slurmTool(t, 'squeue', 'echo "no controller" >&2; exit 1');
  const { lines, followed } = await follow(true);
  t.strictSame(followed, []);
  t.match(lines, [/warn: the end of the job is unknown, and the box goes on: squeue .*: no controller$/]);
});

t.test('where the end is known the controller is not asked before it is near', async (t) => {
  const { folder } = slurmTool(t, 'squeue', 'touch "$(dirname "$0")/asked"; exit 1');
  const { log } = linesLogger();
  const box = { clock: { status: () => ({ remaining_ms: 3_600_000 }) } } as unknown as Box;
  const close = followJobEnd({ box, log, environment: {}, frontPid: process.pid }, false);
  close();
  t.notOk(existsSync(`${folder}/asked`));
});

t.test('who asks for the end of the job gets that of now, also where the environment has one', async (t) => {
  endIn(t, 7200);
  const { followed } = await follow(true, { remaining_ms: 3_600_000, limit_ms: 3_610_000 });
  t.ok(Math.abs(followed[0]! - (10_000 + 7_195_000)) < 2_000, `${followed[0]}`);
});

t.test('what Slurm would kill without notice is warned of', async (t) => {
  const { log, lines } = linesLogger();
  warnOfNoNotice({ box: {} as Box, log, environment: {}, frontPid: process.pid });
  t.strictSame(lines, []);
});

t.test('groups that killed boxes have left are removed', async (t) => {
  const dir = t.testdir({});
  const name = (index: number) => `proc_box-${String(index).padStart(20, '0')}`;
  for (const index of [1, 2]) mkdirSync(`${dir}/job/${name(index)}`, { recursive: true });
  writeFileSync(`${dir}/job/cgroup.procs`, '');
  const before = Date.now() / 1000 - 120;
  utimesSync(`${dir}/job/${name(2)}`, before, before);
  const { log, lines } = linesLogger();
  tidyAfterOthers(log, [`${dir}/job/${name(1)}`]);
  t.strictSame(lines, ['proc_box: debug: removed 1 control groups that killed boxes had left']);
  tidyAfterOthers(log, [`${dir}/job/${name(1)}`]);
  t.equal(lines.length, 1, 'nothing is told of nothing');
});

t.test('a step daemon at rest is not waited for, and a busy one not for long', async (t) => {
  t.equal(untilStepdRests({ SLURM_TASK_PID: '0' }, process.pid), null);
  // Its parent, of which a thread runs while it is looked at: this process itself.
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const rests = untilStepdRests({ SLURM_TASK_PID: `${child.pid}` }, process.pid);
  t.not(rests, null);
  await rests;
});

t.test('Slurm kills a moment after its TERM', async (t) => {
  const dir = t.testdir({ 'slurm.conf': 'KillWait=7\n' });
  t.equal(killAtMs({ SLURM_CONF: `${dir}/slurm.conf` }, 1000), 8_000);
});
