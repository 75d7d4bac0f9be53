// test-waits
// test-timeout: 120s
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { childrenOf, sessionOf } from '../fixtures/processes.js';
import { killQuietly, PYTHON, type Running, start, temporaryFolder } from '../fixtures/run.js';

/** A scheduler's SIGTERM ends the shell at once, and the application that it has started saves its work. */

const folder = temporaryFolder(t);
const app = join(folder, 'app.py');
writeFileSync(
  app,
  `import os, signal, time
def save(*_):
  os.write(1, b"asked\\n"); time.sleep(4); os.write(1, b"saved\\n"); os._exit(0)
signal.signal(signal.SIGTERM, save)
os.write(1, b"ready\\n")
while True: time.sleep(100)`,
);
const conf = join(folder, 'slurm.conf');
writeFileSync(conf, 'ProctrackType=proctrack/cgroup\nKillWait=30\n');

const SENDERS: Readonly<Record<string, { env: Record<string, string>; reach: (of: Running) => number[] }>> = {
  'PBS, to the session': { env: { PBS_JOBID: '77.srv' }, reach: (of) => sessionOf(of.pid) },
  'linuxproc, to every descendant': { env: { SLURM_JOB_ID: '77' }, reach: (of) => [of.pid, ...descendantsOf(of.pid)] },
  'cgroup, to the task alone': { env: { SLURM_JOB_ID: '77', SLURM_CONF: conf }, reach: (of) => [of.pid] },
};

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

for (const [sender, { env, reach }] of Object.entries(SENDERS)) {
  t.test(sender, async (t) => {
    const runs: [string, Running][] = [];
    for (const shell of ['sh', 'bash', 'dash']) {
      for (const options of [[], ['--linger'], ['--stop-signal', 'QUIT']]) {
        const command = [shell, '-c', `${PYTHON} -S -E ${app}; echo not reached`];
        runs.push([`${shell} ${options.join(' ')}`, start(t, command, { options, env, detached: true })]);
      }
    }
    for (const [, running] of runs) await running.says('ready', 60_000);
    for (const [, running] of runs) for (const pid of reach(running)) killQuietly(pid, 'SIGTERM');
    for (const [name, running] of runs) {
      const { code, signal, stdout, stderr } = await running.done;
      t.strictSame([code, signal], 'PBS_JOBID' in env ? [null, 'SIGTERM'] : [143, null], name);
      t.equal(stdout, 'ready\nasked\nsaved\n', name);
      t.match(stderr, /the scheduler ended the job: proc_box got SIGTERM/, name);
    }
  });
}
