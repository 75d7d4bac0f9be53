import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { childrenOf, isAlive, processState, sessionOf, until } from '../fixtures/processes.js';
import { job, killQuietly, type Running, type RunOptions, start } from '../fixtures/run.js';

/** Schedulers that signal the wrapper and its job both: PBS the session, Slurm's linuxproc every descendant. */
const SENDERS = {
  PBS: { env: { PBS_JOBID: '77.srv' }, reach: (of: Running) => sessionOf(of.pid) },
  linuxproc: { env: { SLURM_JOB_ID: '77' }, reach: (of: Running) => [of.pid, ...descendantsOf(of.pid)] },
} as const;

const ORDERS: Readonly<Record<string, (pids: number[]) => number[]>> = {
  'the wrapper first': (pids) => pids.sort((a, b) => a - b),
  'the wrapper last': (pids) => pids.sort((a, b) => b - a),
};

const under = (sender: keyof typeof SENDERS, more: RunOptions = {}): RunOptions => ({
  ...more,
  detached: true,
  env: SENDERS[sender].env,
});

function send(pids: readonly number[], ...names: NodeJS.Signals[]): void {
  for (const name of names) for (const pid of pids) killQuietly(pid, name);
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

for (const sender of ['PBS', 'linuxproc'] as const) {
  const { reach } = SENDERS[sender];
  for (const [order, sorted] of Object.entries(ORDERS)) {
    t.test(`${sender}, ${order}: the job gets each signal once`, async (t) => {
      const running = start(t, job('signal-log.py', 'stay'), under(sender, { options: ['--grace', '700ms'] }));
      await running.says('ready');
      const names = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTSTP', 'SIGCONT', 'SIGHUP', 'SIGTERM'] as const;
      for (const name of names) {
        send(sorted(reach(running)), name);
        await running.says(`${name}\n`);
      }
      t.equal((await running.done).stdout, `ready\n${names.join('\n')}\n`);
      t.strictSame(running.members(), []);
    });
  }

  t.test(`${sender}: what is sent to the wrapper alone reaches the job, also right after what both got`, async (t) => {
    const running = start(t, job('signal-log.py'), under(sender));
    await running.says('ready');
    for (const name of ['SIGUSR1', 'SIGTSTP', 'SIGCONT'] as const) {
      running.kill(name);
      await running.says(`${name}\n`);
    }
    send(reach(running), 'SIGUSR2');
    await running.says('SIGUSR2\n');
    // What comes within a burst is one signal.
    const other = job('signal-log.py')
      .slice(0, 1)
      .concat('-c', `import os; os.kill(${running.pid}, ${constants.signals.SIGUSR2})`);
    t.equal((await start(t, other).done).code, 0);
    await running.says('SIGUSR2\nSIGUSR2\n');
    running.kill('SIGTERM');
    t.equal((await running.done).stdout, 'ready\nSIGUSR1\nSIGTSTP\nSIGCONT\nSIGUSR2\nSIGUSR2\nSIGTERM\n');
  });

  t.test(`${sender}: CONT with TERM, and TERM, CONT, TERM in one breath`, async (t) => {
    const running = start(t, job('signal-log.py', 'stay'), under(sender, { options: ['--grace', '700ms'] }));
    await running.says('ready');
    send(reach(running), 'SIGCONT', 'SIGTERM');
    await running.says('SIGCONT\n');
    await running.says('SIGTERM\n');
    send(reach(running), 'SIGTERM', 'SIGCONT', 'SIGTERM');
    const { stdout } = await running.done;
    const count = (name: string) => stdout.split(`${name}\n`).length - 1;
    // Standard signals that wait for a process are one: fewer may arrive than were sent, never more.
    t.ok(count('SIGTERM') >= 2 && count('SIGTERM') <= 3, stdout);
    t.equal(count('SIGCONT'), 2, stdout);
  });

  t.test(`${sender}: the job that dies of it has ended by the scheduler`, async (t) => {
    const running = start(t, ['sleep', '1000'], under(sender, { options: ['--report'] }));
    await running.jobPid();
    await running.says('');
    send(reach(running), 'SIGTERM');
    const { code, signal, stderr } = await running.done;
    t.strictSame([code, signal], sender === 'PBS' ? [null, 'SIGTERM'] : [143, null]);
    t.match(stderr, /scheduler/);
  });
}

t.test('PBS: SIGKILL of the session ends what has left the session, too', async (t) => {
  const running = start(t, ['sh', '-c', "trap '' TERM; setsid sleep 1000 & echo ready; sleep 1000"], under('PBS'));
  await running.says('ready');
  const outside = () => running.members().filter((pid) => processState(pid)?.session !== running.pid);
  await until(() => outside().length === 2, 'the guard and the setsid child are outside');
  const all = running.members();
  send(sessionOf(running.pid), 'SIGTERM');
  send(sessionOf(running.pid), 'SIGKILL');
  await running.done;
  await until(() => all.every((pid) => !isAlive(pid)), 'everything has ended');
});

t.test('PBS: a stopped session stops what has left it, and both go on together', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'outside');
  const log = job('signal-log.py');
  const running = start(t, ['sh', '-c', `setsid "$@" stay >${file} & exec "$@"`, 'sh', ...log], under('PBS'));
  await running.says('ready');
  const outside = () => readFileSync(file, 'latin1');
  await until(() => outside() === 'ready\n', 'the process outside is ready');
  const session = sessionOf(running.pid);
  const strays = () =>
    running.members().filter((pid) => !session.includes(pid) && processState(pid)?.comm !== 'proc_box-guard');
  for (let round = 1; round <= 2; round++) {
    send(session, 'SIGSTOP');
    const all = [...session, ...strays()];
    t.equal(all.length, session.length + 1);
    await until(() => all.every((pid) => processState(pid)?.state === 'T'), 'all are stopped');
    send(session, 'SIGCONT');
    await until(() => outside() === `ready\n${'SIGCONT\n'.repeat(round)}`, 'the process outside goes on');
    await running.says('SIGCONT\n'.repeat(round));
  }
  send(session, 'SIGTERM');
  const result = await running.done;
  t.strictSame([result.code, result.stdout], [40, 'ready\nSIGCONT\nSIGCONT\nSIGTERM\n']);
  t.strictSame(running.members(), []);
});

t.test('PBS: the guard cleans up where the keeper alone dies', async (t) => {
  const running = start(t, ['sh', '-c', 'setsid sleep 1000 & echo ready; sleep 1000'], under('PBS'));
  await running.says('ready');
  const all = running.members();
  const keeper = all.find((pid) => processState(pid)?.comm === 'proc_box-keeper')!;
  process.kill(keeper, 'SIGKILL');
  t.equal((await running.done).code, 125);
  await until(() => all.every((pid) => !isAlive(pid)), 'everything has ended');
});
