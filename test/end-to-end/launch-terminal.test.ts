import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { processState, until } from '../fixtures/processes.js';
import { killQuietly, PROC_BOX, PYTHON, temporaryFolder } from '../fixtures/run.js';
import { CTRL, openShell, openTerminal, PROMPT } from '../fixtures/terminal.js';

const BOX = `${PROC_BOX} -uri none --config none --nowarn`;
/** Its start is seen: --nowarn leaves the start line out. */
const CAT = `sh -c 'echo u""p >&2; exec cat'`;
/** The shell has the terminal again: it answers, and is in the foreground. */
const FOREGROUND = `${PYTHON} -S -c 'import os; print("fore" + "ground", os.tcgetpgrp(0) == os.getpgrp())'`;

type Shell = Awaited<ReturnType<typeof openShell>>;

async function hasTerminalBack(shell: Shell): Promise<void> {
  shell.run(FOREGROUND);
  await shell.shows('foreground True\n');
  await shell.shows(PROMPT);
}

t.test('^C reaches the job, which may catch it, and the shell gets the terminal back', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(
    `$BOX bash -c 'trap "echo caught; exit 3" INT; echo u""p; while :; do sleep 0.02; done'; echo "sta""tus $?"`,
  );
  await shell.shows('up\n');
  shell.type(CTRL.c);
  await shell.shows('caught\n');
  await shell.shows('status 3\n');
  await hasTerminalBack(shell);
});

t.test('^C ends a job that does not catch it', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX sh -c 'echo u""p; exec sleep 100'`);
  await shell.shows('up\n');
  shell.type(CTRL.c);
  await shell.shows(PROMPT);
  shell.run('echo "sta""tus $?"');
  await shell.shows('status 130\n');
  await hasTerminalBack(shell);
});

t.test('^\\ reaches the job', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(
    `$BOX bash -c 'trap "echo caught; exit 4" QUIT; echo u""p; while :; do sleep 0.02; done'; echo "sta""tus $?"`,
  );
  await shell.shows('up\n');
  shell.type(CTRL.backslash);
  await shell.shows('status 4\n');
  await hasTerminalBack(shell);
});

t.test('the job reads the keyboard, ^D is its end of file', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX ${CAT}; echo "sta""tus $?"`);
  await shell.shows('up\n');
  shell.type('typed\n');
  await shell.shows('typed\ntyped\n');
  shell.type(CTRL.d);
  await shell.shows('status 0\n');
  await hasTerminalBack(shell);
});

t.test('^Z gives the shell its prompt, fg gives the job the terminal', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX ${CAT}; echo "sta""tus $?"`);
  await shell.shows('up\n');
  shell.type('one\n');
  await shell.shows('one\none\n');
  for (let round = 0; round < 3; round++) {
    shell.type(CTRL.z);
    await shell.shows('Stopped');
    await shell.shows(PROMPT);
    await hasTerminalBack(shell);
    shell.run('fg');
    await shell.shows('exec cat');
    shell.type(`two ${round}\n`);
    await shell.shows(`two ${round}\ntwo ${round}\n`);
  }
  shell.type(CTRL.d);
  await shell.shows(PROMPT);
  await hasTerminalBack(shell);
});

t.test('^Z and bg: the job goes on in the background', async (t) => {
  const shell = await openShell(t, BOX);
  const fifo = join(temporaryFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  // A shell that is between vfork(2) and exec(2) of a stopped child cannot stop: this one starts nothing.
  shell.run(`$BOX sh -c 'echo u""p; read go < ${fifo}; echo fin""ished'`);
  await shell.shows('up\n');
  const main = await until(() => shell.members().find((pid) => processState(pid)?.comm === 'sh'), 'the job');
  shell.type(CTRL.z);
  await shell.shows('Stopped');
  await shell.shows(PROMPT);
  await until(() => processState(main)?.state === 'T', 'the job is stopped');
  shell.run('bg');
  await until(() => processState(main)?.state !== 'T', 'the job goes on');
  await hasTerminalBack(shell);
  shell.run(`echo go > ${fifo}`);
  await shell.shows('finished\n');
  await hasTerminalBack(shell);
});

t.test('a background job is not stopped by us, and takes nothing from the shell', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX sh -c 'read x < /dev/null; sleep 0.2; echo don""e in the background; exit 5' &`);
  await hasTerminalBack(shell);
  await shell.shows('done in the background\n');
  shell.run('wait %1; echo "sta""tus $?"');
  await shell.shows('status 5\n');
});

t.test('a background job that reads the terminal is stopped as without us, fg gives it what it wants', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run('$BOX cat &');
  await until(
    () => shell.members().some((pid) => processState(pid)?.comm === 'cat' && processState(pid)?.state === 'T'),
    'cat is stopped',
  );
  // The shell sees proc_box itself, which stops a moment after the job.
  await until(
    () => shell.members().some((pid) => processState(pid)?.comm === 'proc_box' && processState(pid)?.state === 'T'),
    'so is proc_box',
  );
  await hasTerminalBack(shell);
  shell.run('jobs');
  await shell.shows('Stopped');
  await shell.shows(PROMPT);
  shell.run('fg');
  await shell.shows('$BOX cat');
  shell.type('late\n');
  await shell.shows('late\nlate\n');
  shell.type(CTRL.d);
  await shell.shows(PROMPT);
  await hasTerminalBack(shell);
});

t.test('in a pipeline the pager keeps the keyboard', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX seq 3 | (cat; read x < /dev/tty; echo "pa""ger got $x")`);
  await shell.shows('3\n');
  shell.type('key\n');
  await shell.shows('pager got key\n');
  await hasTerminalBack(shell);
});

t.test('a job in a pipeline that reads the terminal gets it on demand', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX ${CAT} | tr a-z A-Z`);
  await shell.shows('up\n');
  shell.type('shout\n');
  await shell.shows('shout\n');
  shell.type(CTRL.d);
  await shell.shows('SHOUT\n');
  await shell.shows(PROMPT);
  await hasTerminalBack(shell);
});

t.test('^C in a pipeline ends it', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX sh -c 'echo u""p >&2; exec sleep 100' | cat; echo "sta""tus \${PIPESTATUS[0]}"`);
  await shell.shows('up\n');
  shell.type(CTRL.c);
  await shell.shows(PROMPT);
  await hasTerminalBack(shell);
  await until(() => !shell.members().some((pid) => processState(pid)?.comm === 'sleep'), 'the job has ended');
});

t.test('a shell as the job has job control of its own', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run('$BOX env PS1=\'inner> \' bash --norc --noprofile --noediting -i; echo "sta""tus $?"');
  await shell.shows('inner> ');
  shell.type('sleep 100\n');
  await until(() => shell.members().some((pid) => processState(pid)?.comm === 'sleep'), 'sleep runs');
  shell.type(CTRL.z);
  await shell.shows('Stopped');
  await shell.shows('inner> ');
  shell.type('fg\n');
  await until(
    () => shell.members().some((pid) => processState(pid)?.comm === 'sleep' && processState(pid)?.state === 'S'),
    'sleep goes on',
  );
  shell.type(CTRL.c);
  await shell.shows('inner> ');
  shell.type('exit 9\n');
  await shell.shows('status 9\n');
  await hasTerminalBack(shell);
});

t.test('stty tostop stops neither the wrapper nor its log', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`stty tostop; $BOX sh -c 'sleep 0.1; exit 6'; echo "sta""tus $?"`);
  await shell.shows(/Task elapsed time: .*\n/);
  await shell.shows('status 6\n');
  await hasTerminalBack(shell);
});

t.test('SIGKILL of the wrapper leaves nothing, and the shell has the terminal', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX sh -c 'setsid sleep 100 & echo u""p; exec cat'`);
  await shell.shows('up\n');
  const keeper = await until(
    () => shell.members().find((pid) => processState(pid)?.comm === 'proc_box-keeper'),
    'the keeper',
  );
  const guard = processState(keeper)!.ppid;
  killQuietly(processState(guard)!.ppid);
  await shell.shows('Killed');
  await until(() => shell.members().length === 1, 'only the shell is left');
  await hasTerminalBack(shell);
});

t.test('the end of the line ends the job', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`$BOX --grace 300ms sh -c 'echo u""p; exec sleep 100'`);
  await shell.shows('up\n');
  shell.hangUp();
  await until(() => shell.members().length === 0, 'nothing is left');
});

t.test('a job that the keyboard cannot resume is not left stopped', async (t) => {
  // proc_box leads the session, as under ssh or `docker run -t`: there is no shell to say fg.
  const terminal = openTerminal(t, [...BOX.split(' '), 'sh', '-c', 'echo u""p; read line; echo "got $line"; exit 7']);
  await terminal.shows('up\n');
  terminal.type(CTRL.z);
  terminal.type('line\n');
  await terminal.shows('got line\n');
  t.equal(await terminal.done, 7);
});

t.test('a script of the shell goes on after each job in it', async (t) => {
  const shell = await openShell(t, BOX);
  shell.run(`for n in 1 2 3; do $BOX sh -c "read x; echo $n-\\$x" 2>/dev/null; done; echo lo""op`);
  for (const n of [1, 2, 3]) {
    shell.type(`k${n}\n`);
    await shell.shows(`${n}-k${n}\n`);
  }
  await shell.shows('loop\n');
  await hasTerminalBack(shell);
});
