import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isAlive, readProc, until } from '../fixtures/processes.js';
import { PROC_BOX, PYTHON, realPipe, run, start, temporaryFolder } from '../fixtures/run.js';
import { openShell } from '../fixtures/terminal.js';

/** What proc_box itself says may be lost; nothing else may be. */

/** Ignores the stop signals, so that the time limit has to kill it. */
const STUBBORN = ['sh', '-c', 'trap "" TERM QUIT; echo $$; while :; do sleep 0.05; done'];
const LIMIT_MS = 1000;
const GRACE_MS = 500;
const LIMITS = ['--timeout', `${LIMIT_MS}ms`, '--grace', `${GRACE_MS}ms`];
/** What a busy host takes to start and to end. */
const SLACK_MS = 3000;

t.test('a full pipe as stderr: limit, grace and SIGKILL come in their time', async (t) => {
  for (const options of [LIMITS, [...LIMITS, '--debug', '--report']]) {
    const began = performance.now();
    const running = start(t, STUBBORN, { options, stdio: ['ignore', 'pipe', fullPipe(t)] });
    await until(() => running.stdout() !== '', 'the job runs');
    const startedMs = performance.now() - began;
    const { code } = await running.done;
    t.equal(code, 124);
    const elapsedMs = performance.now() - began;
    t.ok(elapsedMs >= LIMIT_MS + GRACE_MS, `${elapsedMs} ms`);
    t.ok(elapsedMs < LIMIT_MS + GRACE_MS + startedMs + SLACK_MS, `${elapsedMs} ms`);
    t.notOk(isAlive(Number(running.stdout())));
  }
});

t.test('a full pipe as stderr: the status of the job, and a signal still reaches it', async (t) => {
  const plain = await run(t, ['sh', '-c', 'exit 7'], { stdio: ['ignore', 'pipe', fullPipe(t)] });
  t.equal(plain.code, 7);
  // A shell would say "Terminated" on the stderr that nobody reads.
  const caught =
    'import os, signal\nsignal.signal(15, lambda *_: os._exit(9))\nprint("up", flush=True)\nwhile True: signal.pause()';
  const running = start(t, [PYTHON, '-S', '-E', '-c', caught], {
    stdio: ['ignore', 'pipe', fullPipe(t)],
  });
  await until(() => running.stdout() !== '', 'the job runs');
  const SIGTERM_BIT = 1n << 14n;
  await until(() => {
    const masks = [...readProc(`/proc/${running.pid}/status`)!.matchAll(/^Sig(?:Cgt|Blk):\s*(\w+)/gm)];
    return masks.some(([, mask]) => (BigInt(`0x${mask}`) & SIGTERM_BIT) !== 0n);
  }, 'proc_box is ready for signals');
  running.kill('SIGTERM');
  t.equal((await running.done).code, 9);
});

t.test('errors before the job has started do not wait for a reader either', async (t) => {
  for (const command of [['no-such-program'], ['--frobnicate', 'x'], ['--uri-file', '/nowhere', 'x']]) {
    const { code, elapsedMs } = await run(t, command, { stdio: ['ignore', 'pipe', fullPipe(t)] });
    t.equal(code, command.length === 1 ? 127 : 125);
    t.ok(elapsedMs < 5000, `${elapsedMs} ms`);
  }
});

t.test('^S on the terminal holds up the terminal alone', async (t) => {
  const shell = await openShell(t, `${PROC_BOX} -uri none --config none ${LIMITS.join(' ')} --debug`);
  const trace = join(temporaryFolder(t), 'trace');
  const job = `trap "" TERM QUIT HUP; echo u""p; echo $$ > ${trace}; while :; do sleep 0.05; done`;
  shell.run(`$BOX sh -c '${job}'; echo $? > ${trace}.status; echo "sta""tus known"`);
  await shell.shows('up\n');
  shell.type('\x13');
  const read = (path: string) => spawnSync('cat', [path], { encoding: 'utf8' }).stdout.trim();
  const pid = await until(() => Number(read(trace)) || undefined, 'the job has told its pid');
  await until(() => !isAlive(pid), 'the time limit has ended it', LIMIT_MS + GRACE_MS + SLACK_MS);
  await until(() => read(`${trace}.status`) === '124', 'proc_box has ended as well', SLACK_MS);
  shell.type('\x11');
  await shell.shows('status known\n');
});

t.test('a stopped reader that goes on gets every line in order', async (t) => {
  const { writer, reader, release, bytes } = realPipe(t);
  reader.pause();
  const running = start(t, ['sh', '-c', 'echo from the job >&2; exit 3'], {
    options: ['--report', '--debug'],
    stdio: ['ignore', 'pipe', writer],
  });
  t.equal((await running.done).code, 3);
  release();
  reader.resume();
  const text = (await bytes).toString();
  t.match(text, /started in box[\s\S]*\nTask elapsed time: \d+\.\d\d seconds\.\n$/);
  t.match(text, /^from the job$/m);
});

t.test('the last line is never lost where somebody reads', async (t) => {
  for (let round = 0; round < 20; round++) {
    const { stderr } = await run(t, ['true']);
    t.match(stderr, /^proc_box: job .*\n(?:.*\n)*Task elapsed time: \d+\.\d\d seconds\.\n$/);
  }
});

t.test('on one pipe with stdout the last line follows all output of the job', async (t) => {
  const words = [PROC_BOX, '-uri', 'none', '--config', 'none', '--nowarn', 'sh', '-c', 'seq 1 2000; seq 1 2000 >&2'];
  const { stdout } = spawnSync('sh', ['-c', '"$@" 2>&1', 'sh', ...words], { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  t.match(lines.at(-1), /^Task elapsed time/);
  t.equal(lines.filter((line) => /^\d+$/.test(line)).length, 4000);
});

t.test('a full disk, a closed reader or a closed stderr change nothing for the job', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.equal((await run(t, ['sh', '-c', 'exit 7'], { stdio: ['ignore', 'pipe', full] })).code, 7);
  closeSync(full);
  const { writer, reader, release } = realPipe(t);
  reader.destroy();
  t.equal((await run(t, ['sh', '-c', 'exit 7'], { stdio: ['ignore', 'pipe', writer] })).code, 7);
  release();
  const closed = await run(t, ['sh', '-c', 'exit 7'], { through: ['sh', '-c', '"$@" 2>&-; exit $?', 'sh'] });
  t.equal(closed.code, 7);
});

t.test("the flags of the job's stderr stay as they were", async (t) => {
  const { writer, reader, release, bytes } = realPipe(t);
  reader.resume();
  const { stdout } = await run(t, ['sh', '-c', 'sleep 0.2; grep flags /proc/self/fdinfo/2'], {
    options: ['--debug'],
    stdio: ['ignore', 'pipe', writer],
  });
  release();
  await bytes;
  t.match(stdout, /^flags:\s+01000?001$|^flags:\s+0100001$|^flags:\s+01$/m, 'blocking');
});

/** The giver's end of a pipe that holds all it can. Its reader lives, and does not read. */
function fullPipe(t: Test): number {
  const folder = temporaryFolder(t);
  spawnSync('mkfifo', [join(folder, 'pipe')]);
  const reader = openSync(join(folder, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
  const filler = openSync(join(folder, 'pipe'), constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096, 'x'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  // Another description: that one would stay non-blocking.
  const writer = openSync(join(folder, 'pipe'), constants.O_WRONLY);
  closeSync(filler);
  t.teardown(() => {
    closeSync(writer);
    closeSync(reader);
  });
  return writer;
}
