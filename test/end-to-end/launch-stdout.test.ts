import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { processState, until } from '../fixtures/processes.js';
import {
  allGone,
  job,
  PROC_BOX,
  plainEnvironment,
  realPipe,
  run,
  start,
  temporaryFolder,
  withoutOurLines,
} from '../fixtures/run.js';

/** Every byte value, and lengths that no buffer is a multiple of. */
const binary = randomBytes(3_000_017);
const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n}\n`).join('');

function binaryFile(t: Test): string {
  const path = join(temporaryFolder(t), 'data');
  writeFileSync(path, binary);
  return path;
}

t.test('stdout reaches a pipe byte for byte', async (t) => {
  const file = binaryFile(t);
  const pipe = realPipe(t);
  const running = start(t, ['cat', file], { stdio: ['ignore', pipe.writer, 'pipe'] });
  pipe.release();
  t.equal((await running.done).code, 0);
  t.ok((await pipe.bytes).equals(binary));
  t.match(running.stderr(), /stdoutlimit=100 GiB \(splice\)/);
});

t.test('stdout reaches a socket byte for byte', async (t) => {
  const { code, stdoutBytes, stderr } = await run(t, ['cat', binaryFile(t)]);
  t.equal(code, 0);
  t.ok(stdoutBytes.equals(binary));
  t.match(stderr, /\(splice\)/);
});

t.test('stdout reaches a file byte for byte, at the offset that it has', async (t) => {
  const file = binaryFile(t);
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'w');
  writeFileSync(fd, 'before\n');
  const { code, stderr } = await run(t, ['cat', file], { stdio: ['ignore', fd, 'pipe'] });
  writeFileSync(fd, 'after\n');
  closeSync(fd);
  t.equal(code, 0);
  t.ok(readFileSync(path).equals(Buffer.concat([Buffer.from('before\n'), binary, Buffer.from('after\n')])));
  t.match(stderr, /\(offset\)/);
});

t.test('stdout is appended to a file that is open for appending', async (t) => {
  const path = join(temporaryFolder(t), 'out');
  writeFileSync(path, 'first\n');
  const fd = openSync(path, 'a');
  t.equal((await run(t, ['echo', 'second'], { stdio: ['ignore', fd, 'pipe'] })).code, 0);
  closeSync(fd);
  t.equal(readFileSync(path, 'utf8'), 'first\nsecond\n');
});

t.test('stdout that is a terminal stays the terminal', async (t) => {
  const child = spawn(
    job('pty.py')[0]!,
    [
      ...job('pty.py', PROC_BOX, '-uri', 'none', '--config', 'none').slice(1),
      'sh',
      '-c',
      'test -t 0 && test -t 1 && test -t 2 && echo all three; exit 7',
    ],
    {
      env: plainEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let shown = '';
  child.stdout.on('data', (chunk) => (shown += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 7);
  t.match(shown, /^all three\r$/m);
  t.match(shown, /stdoutlimit=100 GiB \(none\)/);
});

t.test('the order of lines on 2>&1 is kept on a pipe', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, job('interleave.py', '4000'), { stdio: ['ignore', pipe.writer, pipe.writer] });
  pipe.release();
  t.equal((await running.done).code, 0);
  t.equal(withoutOurLines((await pipe.bytes).toString()), numbers(4000));
});

t.test('the order of lines on 2>&1 is kept on a socket', async (t) => {
  const path = join(temporaryFolder(t), 'socket');
  const server = createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  let text = '';
  const ended = new Promise<void>((resolve) =>
    server.on('connection', (socket) => socket.on('data', (chunk) => (text += chunk)).on('close', () => resolve())),
  );
  const python = `import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); os.dup2(s.fileno(), 1); os.dup2(s.fileno(), 2)
os.execv(sys.argv[2], sys.argv[2:])`;
  const running = start(t, job('interleave.py', '4000'), { through: [job('x.py')[0]!, '-c', python, path] });
  t.equal((await running.done).code, 0);
  await ended;
  t.equal(withoutOurLines(text), numbers(4000));
});

t.test('the order of lines on 2>&1 is kept on a file', async (t) => {
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'w');
  await run(t, job('interleave.py', '4000'), { stdio: ['ignore', fd, fd] });
  closeSync(fd);
  t.equal(withoutOurLines(readFileSync(path, 'utf8')), numbers(4000));
});

t.test('proc_box writes to stderr only', async (t) => {
  const { stdout, stderr } = await run(t, ['printf', 'no newline at the end']);
  t.equal(stdout, 'no newline at the end');
  t.match(stderr, /^proc_box: job .*\nTask elapsed time: \d+\.\d\d seconds\.\n$/);
});

t.test('a reader that goes early gives the job its SIGPIPE', async (t) => {
  const began = performance.now();
  const result = await run(
    t,
    ['-c', `"$0" -uri none --config none yes | head -n 1; echo "status \${PIPESTATUS[0]}"`, PROC_BOX],
    { through: ['bash', '-c', 'shift 3; shift; exec bash "$@"'] },
  );
  t.equal(result.stdout, 'y\nstatus 141\n');
  t.ok(performance.now() - began < 5000);
});

t.test('a job that ignores SIGPIPE sees the error that it would see without us', async (t) => {
  const result = await run(
    t,
    [
      '-c',
      `"$0" -uri none --config none sh -c "trap '' PIPE; while echo x; do :; done 2>/dev/null; exit 3" | head -n 1; echo "status \${PIPESTATUS[0]}"`,
      PROC_BOX,
    ],
    { through: ['bash', '-c', 'shift 3; shift; exec bash "$@"'] },
  );
  t.equal(result.stdout, 'x\nstatus 3\n');
});

t.test('a job that writes nothing hears of its reader at its next write only', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['sh', '-c', 'echo up >&2; read line; echo late; echo "status $?" >&2; exit 4'], {
    stdio: ['pipe', pipe.writer, 'pipe'],
  });
  pipe.release();
  await until(() => running.stderr().includes('up\n'), 'the job is up');
  t.equal(pipesOf(running.keeperPid()), 1, 'the keeper relays');
  pipe.reader.destroy();
  await until(() => pipesOf(running.keeperPid()) === 0, 'the keeper has seen that its reader is gone');
  running.child.stdin?.end('go\n');
  const { signal, code } = await running.done;
  t.strictSame({ signal, code }, { signal: null, code: 141 });
});

t.test('a job that closes its stdout early is seen by the reader while it goes on', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['sh', '-c', 'echo all; exec >&-; read line; exit 5'], {
    stdio: ['pipe', pipe.writer, 'pipe'],
  });
  pipe.release();
  t.equal((await pipe.bytes).toString(), 'all\n');
  t.ok(running.members().includes(await running.jobPid()), 'the job goes on');
  running.child.stdin?.end('\n');
  t.equal((await running.done).code, 5);
});

t.test('a slow reader gets everything, and the job waits for it', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['sh', '-c', 'head -c 5000000 /dev/zero; echo done >&2'], {
    stdio: ['ignore', pipe.writer, 'pipe'],
  });
  pipe.release();
  pipe.reader.pause();
  await running.jobPid();
  // Full: the job sleeps in write(2).
  const head = await until(() => running.members().find((pid) => processState(pid)?.comm === 'head'), 'head runs');
  await until(() => /pipe_write|anon_pipe_write|0/.test(wchan(head)), 'head waits');
  t.notMatch(running.stderr(), /^done$/m);
  pipe.reader.resume();
  t.equal((await running.done).code, 0);
  t.equal((await pipe.bytes).length, 5_000_000);
});

t.test('what a finished job has written waits for a reader that comes late', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['head', '-c', '900000', '/dev/zero'], {
    stdio: ['ignore', pipe.writer, 'pipe'],
    options: ['--grace', '100ms'],
  });
  pipe.release();
  pipe.reader.pause();
  const main = await running.jobPid();
  await until(() => !running.members().includes(main), 'the job has ended');
  // Longer than the grace period and whatever is derived from it: keeper and front end have bounds of their own.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  t.ok(running.members().length > 0, 'proc_box waits');
  pipe.reader.resume();
  t.equal((await running.done).code, 0);
  t.equal((await pipe.bytes).length, 900_000);
});

t.test('a reader that never reads does not hold up the wall clock limit', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['yes'], {
    stdio: ['ignore', pipe.writer, 'pipe'],
    options: ['-timeout', '300ms', '--grace', '200ms'],
  });
  pipe.release();
  pipe.reader.pause();
  const { code, elapsedMs } = await running.done;
  t.equal(code, 124);
  t.ok(elapsedMs < 4000, `ended after ${elapsedMs} ms`);
});

t.test('a reader that never reads does not hold up a SIGTERM after the job', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['head', '-c', '900000', '/dev/zero'], {
    stdio: ['ignore', pipe.writer, 'pipe'],
    options: ['--grace', '200ms'],
  });
  pipe.release();
  pipe.reader.pause();
  const main = await running.jobPid();
  await until(() => !running.members().includes(main), 'the job has ended');
  const began = performance.now();
  running.kill('SIGTERM');
  await running.done;
  t.ok(performance.now() - began < 4000);
});

t.test('a gigabyte through a pipe is the same gigabyte', async (t) => {
  const pipe = realPipe(t);
  const running = start(
    t,
    ['sh', '-c', 'dd if=/dev/zero bs=1M count=512 status=none; dd if=/dev/zero bs=7777 count=70000 status=none'],
    { stdio: ['ignore', pipe.writer, 'pipe'] },
  );
  pipe.reader.removeAllListeners('data');
  let length = 0;
  pipe.reader.on('data', (chunk: Buffer) => (length += chunk.length));
  pipe.release();
  t.equal((await running.done).code, 0);
  await pipe.bytes;
  t.equal(length, 512 * 2 ** 20 + 7777 * 70_000);
});

t.test('no byte is lost or moved when many processes write at once', async (t) => {
  const pipe = realPipe(t);
  const script =
    'for i in 1 2 3 4 5 6 7 8; do (n=0; while [ $n -lt 500 ]; do echo "$i $n"; n=$((n+1)); done) & done; wait';
  const running = start(t, ['sh', '-c', script], { stdio: ['ignore', pipe.writer, 'pipe'] });
  pipe.release();
  await running.done;
  const lines = (await pipe.bytes).toString().trimEnd().split('\n');
  t.equal(new Set(lines).size, 8 * 500);
  for (const writer of '12345678') {
    const own = lines.filter((line) => line.startsWith(`${writer} `)).map((line) => Number(line.slice(2)));
    t.strictSame(
      own,
      Array.from({ length: 500 }, (_, n) => n),
    );
  }
});

t.test('a daemon that keeps stdout open does not keep proc_box', async (t) => {
  const running = start(t, ['sh', '-c', 'setsid sleep 100 & exit 6'], { options: ['--grace', '100ms'] });
  t.equal((await running.done).code, 6);
  await allGone(running);
});

for (const [name, redirection] of [
  ['stdin', '<&-'],
  ['stdout', '>&-'],
  ['stderr', '2>&-'],
  ['all three', '<&- >&- 2>&-'],
] as const) {
  t.test(`runs with ${name} closed, and the job finds it closed`, async (t) => {
    const dir = temporaryFolder(t);
    const script = `for fd in 0 1 2; do test -e /proc/$$/fd/$fd || echo "$fd closed" >> ${dir}/said; done; exit 9`;
    const running = start(t, ['sh', '-c', script], { through: ['sh', '-c', `exec "$@" ${redirection}`, 'sh'] });
    t.equal((await running.done).code, 9);
    const closed =
      name === 'all three'
        ? '0 closed\n1 closed\n2 closed\n'
        : `${['stdin', 'stdout', 'stderr'].indexOf(name)} closed\n`;
    t.equal(readFileSync(join(dir, 'said'), 'utf8'), closed);
  });
}

function wchan(pid: number): string {
  return readFileSync(`/proc/${pid}/wchan`, 'utf8');
}

/** Without names: from the job to the keeper. */
function pipesOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return links.filter((link) => link.startsWith('pipe:')).length;
}
