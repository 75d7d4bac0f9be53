import t from 'tap';
import { BOX_SHELL, startMom } from '../fixtures/mom.js';
import { isAlive, processState, until } from '../fixtures/processes.js';
import { job } from '../fixtures/run.js';

/** A login shell in a box: `qsub -S box-shell`. Its own lines are what proc_box adds to the job's stderr. */
const shell = BOX_SHELL;
const env = { PBOX_URI: 'none', PBOX_CONFIG: 'none' };
const SHOWS = `#!/bin/bash
echo "shell $SHELL"
cat /proc/$PPID/cmdline | tr '\\0' ' '; echo
ps -o args= -p $PPID
echo "stdin $(readlink /proc/self/fd/0 | cut -d: -f1), $(umask)"
env | grep -c PBOX_
exit 5`;

t.test(
  'a script runs below a login shell of the user, with stdin, SHELL, umask and status as without a box',
  async (t) => {
    const mom = startMom(t);
    const plain = await mom.run({ script: SHOWS, env });
    const boxed = await mom.run({ script: SHOWS, env, shell });
    t.equal(await plain.exitStatus, 5);
    t.equal(await boxed.exitStatus, 5);
    const lines = boxed.output().split('\n');
    t.match(lines.join('\n'), /started in box/);
    const own = lines.filter((line) => !line.startsWith('proc_box:') && !line.startsWith('Task elapsed'));
    t.strictSame(own, plain.output().replace(/^\d+$/m, '0').split('\n'));
  },
);

t.test('arrays and private sandboxes: what MoM writes to stdin is shell code', async (t) => {
  const mom = startMom(t);
  const script = '#!/bin/sh\necho "$0 $PBS_ARRAY_INDEX"; pwd';
  const array = await mom.run({ script, env, shell, id: '10[3].srv' });
  const sandbox = await mom.run({ script, env, shell, sandbox: true });
  t.equal(await array.exitStatus, 0);
  t.equal(await sandbox.exitStatus, 0);
  t.match(array.output(), /jobs\/10\[3\]\.srv\.SC 3\n/);
  t.match(array.output(), /job 10_3 task 1 started in box/);
  t.match(sandbox.output(), new RegExp(`^${mom.home}/jobs$`, 'm'));
});

t.test('a script without #! is run by the shell, and one whose interpreter is missing gives 127', async (t) => {
  const mom = startMom(t);
  const bare = await mom.run({ script: 'echo "bare $BASH_VERSION"; exit 3', env, shell });
  const missing = await mom.run({ script: '#!/nowhere/sh\n', env, shell });
  t.equal(await bare.exitStatus, 3);
  t.match(bare.output(), /^bare \d/m);
  const plain = await mom.run({ script: '#!/nowhere/sh\n', env });
  t.equal(await missing.exitStatus, await plain.exitStatus);
});

t.test('qdel: TERM reaches the job once, the wrapper waits for it, 256+15 survives', async (t) => {
  const mom = startMom(t);
  const quick = await mom.run({ script: '#!/bin/sh\necho ready\nexec sleep 1000', env, shell });
  await until(() => quick.output().includes('ready'), 'the job runs');
  quick.signal('TERM');
  t.equal(await quick.exitStatus, 256 + 15);

  const traps = `exec ${job('signal-log.py').join(' ')}`;
  const task = await mom.run({ script: `trap '' TERM; ${traps}`, env, shell });
  await until(() => task.output().includes('ready'), 'the job runs');
  await until(() => task.output().includes('started in box'), 'the wrapper is ready');
  task.signal('USR1', 'TERM');
  await task.exitStatus;
  const got = task.output().match(/^SIG\w+$/gm) ?? [];
  t.equal(got.join(), 'SIGUSR1,SIGTERM');
});

t.test(
  'qdel of a job that ignores TERM, walltime: SIGKILL leaves nothing, not what has left the session',
  async (t) => {
    const mom = startMom(t);
    const script =
      "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\n(sleep 1000 & exec setsid sleep 1001) &\necho ready\nsleep 1002\nsleep 1003";
    const task = await mom.run({ script, env: { ...env, PBOX_GRACE: '1h' }, shell });
    await until(() => task.output().includes('ready'), 'the job runs');
    const members = () => task.members();
    await until(() => members().length >= 8, 'all have started');
    const all = members();
    task.signal('TERM');
    task.signal('KILL');
    t.equal(await task.exitStatus, 256 + 9);
    await until(() => all.every((pid) => !isAlive(pid)), 'nothing is left');
  },
);

t.test('qsig -s suspend stops the job with what has left its session', async (t) => {
  const mom = startMom(t);
  const task = await mom.run({ script: '#!/bin/sh\nsetsid sleep 1000 &\necho ready\nsleep 1001', env, shell });
  await until(() => task.output().includes('ready'), 'the job runs');
  const guard = (pid: number) => processState(pid)?.comm === 'proc_box-guard';
  const sleepers = () => task.members().filter((pid) => !guard(pid));
  await until(() => sleepers().filter((pid) => processState(pid)?.comm === 'sleep').length === 2, 'both sleep');
  task.signal('STOP');
  await until(() => sleepers().every((pid) => processState(pid)?.state === 'T'), 'all are stopped');
  task.signal('CONT');
  await until(() => sleepers().every((pid) => processState(pid)?.state !== 'T'), 'all go on');
  task.signal('TERM');
  t.equal(await task.exitStatus, 256 + 15);
});

t.test("a child that is not ours, as MoM's pbs_demux, is neither waited for nor killed", async (t) => {
  const mom = startMom(t);
  const task = await mom.run({
    script: '#!/bin/sh\nsetsid sleep 1000 & exit 4',
    env: { ...env, PBOX_GRACE: '0s' },
    shell,
    demux: true,
  });
  t.equal(await task.exitStatus, 4);
  const names = (pids: number[]) => pids.map((pid) => processState(pid)?.comm);
  t.strictSame(task.members(), [], 'the box is empty');
  t.strictSame(names(task.session()), ['pbs_demux'], 'the stranger lives');

  // The same where the keeper dies, and the wrapper kills what is left itself.
  const second = await mom.run({ script: '#!/bin/sh\necho ready\nsleep 1000', env, shell, demux: true });
  await until(() => second.output().includes('started in box'), 'the job runs');
  const keeper = second.members().find((pid) => processState(pid)?.comm === 'proc_box-keeper')!;
  process.kill(keeper, 'SIGKILL');
  t.equal(await second.exitStatus, 125);
  await until(() => second.members().length === 0, 'the box is empty');
  t.strictSame(names(second.session()), ['pbs_demux'], 'the stranger lives');
});

t.test('-I: the shell has the terminal, and qdel leaves nothing', async (t) => {
  const mom = startMom(t);
  const task = await mom.run({ interactive: true, env: { ...env, PS1: '> ' }, shell });
  await until(() => task.output().includes('started in box'), 'the shell runs');
  task.type('tty; echo "level $SHLVL" $0; setsid sleep 1000 &\n');
  await until(() => /level \d -bash/.test(task.output()), 'the shell answers', 20_000);
  t.match(task.output(), /\/dev\/pts\//);
  await until(() => task.members().some((pid) => processState(pid)?.comm === 'sleep'), 'the job has left the session');
  const all = task.members();
  task.signal('TERM', 'KILL');
  await task.exitStatus;
  await until(() => all.every((pid) => !isAlive(pid)), 'nothing is left');
});
