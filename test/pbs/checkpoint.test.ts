// test-waits
// test-timeout: 240s
import t, { type Test } from 'tap';
import { configure, type Mom, startMom, type Task, type TaskOptions } from '../fixtures/mom.js';
import { until } from '../fixtures/processes.js';

/** qdel and the end of the walltime: SIGTERM to every process of the session, SIGKILL some ten seconds later. */

const SHELLS = ['/bin/sh', '/bin/bash', '/bin/dash'];

/** An application that takes its time to save on a signal, and says how often it was asked. */
const app = (signal: string, seconds: number) => `import os, signal, sys, time
def save(*_):
  os.write(1, b"asked\\n"); time.sleep(${seconds}); os.write(1, b"saved\\n"); os._exit(0)
signal.signal(signal.${signal}, save)
os.write(1, b"ready\\n")
while True: time.sleep(100)`;

/** Every way in which the application is the child of a shell that dies of the signal at once. */
function ways(path: string): Readonly<Record<string, TaskOptions>> {
  const line = `python3 ${path}; echo not reached`;
  const ofShell = SHELLS.flatMap((shell): [string, TaskOptions][] => [
    [`a login shell ${shell}`, { shell, script: `#!${shell}\n${line}` }],
    [`qsub -- ${shell} -c`, { command: [shell, '-c', line] }],
    [`pbsdsh ${shell} -c`, { command: [shell, '-c', line], taskNumber: 0x20000001 }],
  ]);
  return Object.fromEntries([...ofShell, ['the last command of a script', { script: `python3 ${path}` }]]);
}

/** Starts a task in each way, and signals all of them once every application runs. */
async function signalled(mom: Mom, path: string, signal: string, options: readonly string[]) {
  const hook = configure(mom, {
    default: ['-uri', 'none', '--config', 'none', '--quiet=false', '--report', ...options],
  });
  const tasks: [string, Task][] = [];
  for (const [way, given] of Object.entries(ways(path))) tasks.push([way, await mom.run({ ...given, hook })]);
  for (const [way, task] of tasks) {
    await until(() => task.output().includes('ready'), `${way}: the application runs`, 90_000);
    await until(() => task.output().includes('started in box'), `${way}: the wrapper is ready`, 90_000);
  }
  for (const [, task] of tasks) task.signal(signal);
  return tasks;
}

async function hasSavedOnce(t: Test, way: string, task: Task, number: number): Promise<void> {
  t.equal(await task.exitStatus, 256 + number, `${way}: the status is that of the shell`);
  t.match(task.output(), /^saved\r?$/m, way);
  t.equal(task.output().match(/^asked\r?$/gm)?.length, 1, `${way}: its handler has run once`);
}

for (const options of [[], ['--linger']]) {
  t.test(`an application saves for 4 s after its shell has died of SIGTERM ${options.join('')}`, async (t) => {
    const mom = startMom(t);
    for (const [way, task] of await signalled(mom, mom.write('app.py', app('SIGTERM', 4), 0o644), 'TERM', options)) {
      await hasSavedOnce(t, way, task, 15);
      t.match(task.output(), /ended +scheduler: SIGTERM/, way);
    }
  });
}

t.test('an application that saves on the SIGINT of qsig gets no SIGTERM on top', async (t) => {
  const mom = startMom(t);
  for (const [way, task] of await signalled(mom, mom.write('app.py', app('SIGINT', 2), 0o644), 'INT', [])) {
    // bash waits for its child, which has not died of the signal, and goes on; dash dies at once.
    await task.exitStatus;
    t.match(task.output(), /^saved\r?$/m, way);
    t.equal(task.output().match(/^asked\r?$/gm)?.length, 1, `${way}: its handler has run once`);
  }
});

t.test('an application that saves too long is ended before the SIGKILL of PBS, and the end is told', async (t) => {
  const mom = startMom(t);
  const hook = configure(mom, { default: ['-uri', 'none', '--config', 'none', '--quiet=false', '--report'] });
  const path = mom.write('app.py', app('SIGTERM', 100), 0o644);
  const task = await mom.run({ script: `#!/bin/bash\npython3 ${path}`, hook });
  await until(() => task.output().includes('started in box'), 'the wrapper is ready', 60_000);
  await until(() => task.output().includes('ready'), 'the application runs', 60_000);
  const began = performance.now();
  task.signal('TERM');
  t.equal(await task.exitStatus, 256 + 15);
  const took = performance.now() - began;
  t.ok(took > 5000 && took < 10_000, `${took} ms`);
  t.match(task.output(), /ended +scheduler/);
});
