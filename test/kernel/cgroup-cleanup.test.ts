// test-timeout: 300s

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { boxIdOf, delegate, groupsOf, ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { host } from '../fixtures/keeper.js';
import { until } from '../fixtures/processes.js';
import { allGone, job, run, start } from '../fixtures/run.js';

/** Whatever ends a box, none of its control groups is left. */

const options = ['--memory', '256M', '--pids', '500', '--cpus', '2'];
const need = { skip: withoutV1('memory', 'pids', 'cpu') };
const BOXES = 100;
/** A job runs about 60 to 100 ms after its wrapper was spawned. */
const EARLY_MS = 150;
const EARLY_STEP_MS = 5;

const noGroups = (box: string) => until(() => groupsOf(box).length === 0, `no group of ${box}: ${groupsOf(box)}`);

const JOBS: Record<string, string[]> = {
  'a plain job': ['sh', '-c', 'sleep 1000 & echo ready; wait'],
  'a daemon that ignores every signal': job('daemon.py'),
  'a bounded fork bomb': job('fork-bomb.py'),
  'a job with groups of its own': ['sh', '-c', subgroups(['memory', 'pids', 'v2'])],
};

/** Two levels in each hierarchy, with a process in the lower one. */
function subgroups(controllers: string[]): string {
  const make = controllers.map((controller) => {
    const pattern = controller === 'v2' ? '0:' : `[0-9]*:${controller}`;
    const own = ownGroup(controller);
    return own === undefined
      ? ':'
      : `g=${topOf(controller)}$(sed -n 's/^${pattern}://p' /proc/self/cgroup); mkdir -p $g/a/b; sleep 1000 & echo $! > $g/a/b/cgroup.procs`;
  });
  return `${make.join('; ')}; echo ready; sleep 1000`;
}

function topOf(controller: string): string {
  const own = ownGroup(controller) as string;
  return own.split('/').slice(0, 5).join('/');
}

const ENDS: Record<string, (running: ReturnType<typeof start>) => void> = {
  'SIGKILL of the wrapper': ({ pid }) => process.kill(pid, 'SIGKILL'),
  'SIGKILL of the keeper': (running) => process.kill(running.keeperPid(), 'SIGKILL'),
  'a second SIGINT': (running) => void running.end(),
};

for (const [end, apply] of Object.entries(ENDS)) {
  for (const [name, command] of Object.entries(JOBS)) {
    t.test(`no group is left of ${name} after ${end}`, need, async (t) => {
      const running = start(t, command, { options });
      await running.says('ready');
      await running.jobPid();
      const box = boxIdOf(running.stderr());
      t.ok(groupsOf(box).length >= 3, `they were there: ${groupsOf(box).length}`);
      apply(running);
      await running.done;
      await noGroups(box);
      await allGone(running);
    });
  }
}

t.test('no group is left of a wrapper that is killed at any moment of its start', need, async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids', 'cpu', 'v2'], 0, false);
  for (let afterMs = 0; afterMs < EARLY_MS; afterMs += EARLY_STEP_MS) {
    const running = start(t, ['sleep', '1000'], { options, through });
    await new Promise((resolve) => setTimeout(resolve, afterMs)); // what is tested is any moment
    process.kill(running.pid, 'SIGKILL');
    await running.done;
  }
  const left = () => Object.values(dirs).flatMap((dir) => groupsBelow(dir));
  await until(() => left().length === 0, `no group is left: ${left()}`);
  t.pass();
});

function groupsBelow(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${dir}/${name}`);
}

t.test('what is said before a job exists is done when the owner goes', need, async (t) => {
  const { keeper, event } = host(t, ['true']);
  await event('hello');
  const dir = `${ownGroup('pids')}/proc_box-test${randomBytes(4).toString('hex')}`;
  keeper.cleanup([
    { op: 'rmdir', path: dir },
    { op: 'rmdir', path: `${dir}-never-made` },
  ]);
  mkdirSync(`${dir}/below`, { recursive: true });
  keeper.finish();
  t.notOk(existsSync(dir));
});

t.test('what a wrapper and keeper that were killed at once have left goes with the next box', need, async (t) => {
  const own = ownGroup('pids') as string;
  const [old, young, other] = ['proc_box-', 'proc_box-', 'proc_box_test-'].map(
    (prefix) => `${own}/${prefix}${randomBytes(10).toString('hex')}`,
  ) as [string, string, string];
  for (const dir of [old, young, other]) {
    mkdirSync(dir);
    t.teardown(() => existsSync(dir) && rmdirSync(dir));
  }
  const past = Date.now() / 1000 - 120;
  for (const dir of [old, other]) utimesSync(dir, past, past);
  await run(t, ['true'], { options });
  t.strictSame(
    [old, young, other].map((dir) => existsSync(dir)),
    [false, true, true],
    'only what is old and a box',
  );
});

t.test('so does one with the groups of a box inside the box, but not one in use', need, async (t) => {
  const own = ownGroup('pids') as string;
  const [unused, used] = [0, 1].map(() => `${own}/proc_box-${randomBytes(10).toString('hex')}`) as [string, string];
  const sleeper = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(async () => {
    const ended = new Promise((resolve) => sleeper.on('exit', resolve));
    sleeper.kill('SIGKILL');
    await ended;
    await until(() => {
      for (const dir of [`${used}/inner`, used]) if (existsSync(dir)) rmdirSync(dir);
      return true;
    }, 'the group of the test is removed');
  });
  for (const dir of [unused, used]) mkdirSync(`${dir}/inner`, { recursive: true });
  writeFileSync(`${used}/inner/cgroup.procs`, String(sleeper.pid));
  const past = Date.now() / 1000 - 120;
  for (const dir of [unused, used]) utimesSync(dir, past, past);
  await run(t, ['true'], { options });
  t.strictSame(
    [unused, used, `${used}/inner`].map((dir) => existsSync(dir)),
    [false, true, true],
  );
});

t.test('no group is left after SIGTERM', need, async (t) => {
  const inner = start(t, ['sh', '-c', 'echo ready; sleep 1000'], { options });
  await inner.says('ready');
  await inner.jobPid();
  const box = boxIdOf(inner.stderr());
  inner.kill('SIGTERM');
  await inner.done;
  await noGroups(box);
  t.pass();
});

t.test('a job whose sub-group limits itself keeps its own limits, too', need, async (t) => {
  const script = `g=${topOf('pids')}$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup); mkdir $g/own; echo 3 > $g/own/pids.max; echo $$ > $g/own/cgroup.procs; exec "$@"`;
  const { stdout, stderr } = await run(t, ['sh', '-c', script, 'sh', ...job('forks.py')], { options });
  t.equal(stdout, '2 EAGAIN\n');
  await noGroups(boxIdOf(stderr));
});

t.test(`${BOXES} boxes leave nothing`, need, async (t) => {
  const { through, dirs } = delegate(t, ['memory', 'pids', 'cpu', 'v2', 'freezer'], 0, false);
  for (let i = 0; i < BOXES; i += 10) {
    const results = await Promise.all(Array.from({ length: 10 }, () => run(t, ['true'], { options, through })));
    t.ok(results.every(({ code }) => code === 0));
  }
  for (const [controller, dir] of Object.entries(dirs)) {
    const left = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    t.strictSame(left, [], controller);
  }
});

t.test('a group of the same name is not ours: it stays', need, async (t) => {
  const { dirs } = delegate(t, ['pids'], 0, false);
  const stranger = `${dirs['pids']}/proc_box-stranger`;
  mkdirSync(stranger);
  await run(t, ['true'], { options });
  t.ok(existsSync(stranger));
});
