import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PYTHON, realPipe, run, start, temporaryFolder } from '../fixtures/run.js';

const LIMIT = 1_000_003;

for (const kind of ['a pipe', 'a socket'] as const) {
  t.test(`exactly the limit reaches the reader of ${kind}`, async (t) => {
    const pipe = realPipe(t);
    const running = start(t, ['head', '-c', '50000000', '/dev/zero'], {
      options: ['-stdoutlimit', String(LIMIT)],
      stdio: ['ignore', kind === 'a pipe' ? pipe.writer : 'pipe', 'pipe'],
    });
    pipe.release();
    const { code, stdoutBytes, stderr, elapsedMs } = await running.done;
    t.equal((kind === 'a pipe' ? await pipe.bytes : stdoutBytes).length, LIMIT);
    t.equal(code, 143, 'it died of SIGTERM');
    t.match(stderr, /^proc_box: stdout limit of 976\.6 KiB \(-stdoutlimit\) reached$/m);
    t.ok(elapsedMs < 2000);
  });
}

t.test('a job that writes exactly the limit is left alone', async (t) => {
  const pipe = realPipe(t);
  const running = start(t, ['head', '-c', String(LIMIT), '/dev/zero'], {
    options: ['-stdoutlimit', String(LIMIT)],
    stdio: ['ignore', pipe.writer, 'pipe'],
  });
  pipe.release();
  const { code, stderr } = await running.done;
  t.equal(code, 0);
  t.notMatch(stderr, /stdout limit/);
  t.equal((await pipe.bytes).length, LIMIT);
});

t.test('a job that writes exactly the limit and goes on in silence is left alone', async (t) => {
  const { code, stdout } = await run(t, ['sh', '-c', 'printf 12345678; sleep 0.2; exit 4'], {
    options: ['-stdoutlimit', '8'],
  });
  t.strictSame([code, stdout], [4, '12345678']);
});

t.test('one byte more is too much', async (t) => {
  const { code, stdout, stderr } = await run(t, ['sh', '-c', 'printf 123456789; sleep 5'], {
    options: ['-stdoutlimit', '8'],
  });
  t.equal(code, 143);
  t.equal(stdout, '12345678');
  t.match(stderr, /^proc_box: stdout limit of 8 B \(-stdoutlimit\) reached$/m);
});

t.test(
  'a job that ignores the stop signal is killed after the grace period, and the reader gets no more',
  async (t) => {
    const pipe = realPipe(t);
    const running = start(t, ['bash', '-c', "trap '' TERM; exec cat /dev/zero"], {
      options: ['-stdoutlimit', '64K', '--grace', '300ms'],
      stdio: ['ignore', pipe.writer, 'pipe'],
    });
    pipe.release();
    const { code } = await running.done;
    t.equal(code, 137);
    t.equal((await pipe.bytes).length, 65_536);
  },
);

t.test('0 is no limit', async (t) => {
  const { code, stdoutBytes } = await run(t, ['head', '-c', '5000000', '/dev/zero'], {
    options: ['-stdoutlimit', '0'],
  });
  t.strictSame([code, stdoutBytes.length], [0, 5_000_000]);
});

/** Writes a line of 1,000 bytes every 200 us. */
const steady =
  "import sys,time,signal\nif len(sys.argv)>1: signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n  sys.stdout.write('x'*999+'\\n'); sys.stdout.flush(); time.sleep(0.0002)";

t.test('on a file the job is stopped soon after the limit', async (t) => {
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'w');
  const { code, stderr } = await run(t, [PYTHON, '-S', '-c', steady], {
    options: ['-stdoutlimit', '2M'],
    stdio: ['ignore', fd, 'pipe'],
  });
  closeSync(fd);
  t.equal(code, 143);
  t.match(stderr, /^proc_box: stdout limit of 2 MiB \(-stdoutlimit\) reached$/m);
  const size = statSync(path).size;
  t.ok(size > 2 ** 21 && size < 2 ** 21 + 1_000_000, `${size} bytes`);
});

t.test('on a file a job that ignores the stop signal and writes on is killed at once', async (t) => {
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'w');
  const { code, elapsedMs } = await run(t, [PYTHON, '-S', '-c', steady, 'ignore'], {
    options: ['-stdoutlimit', '200K', '--grace', '1h'],
    stdio: ['ignore', fd, 'pipe'],
  });
  closeSync(fd);
  t.equal(code, 137);
  t.ok(elapsedMs < 3000, `${elapsedMs} ms`);
  t.ok(statSync(path).size < 2_000_000);
});

t.test('what was in the file before does not count, appended or not', async (t) => {
  for (const flags of ['a', 'r+']) {
    const path = join(temporaryFolder(t), 'out');
    writeFileSync(path, 'x'.repeat(100_000));
    const fd = openSync(path, flags);
    const { code, stderr } = await run(t, ['sh', '-c', 'head -c 5000 /dev/zero; sleep 0.1'], {
      options: ['-stdoutlimit', '10000'],
      stdio: ['ignore', fd, 'pipe'],
    });
    closeSync(fd);
    t.equal(code, 0, stderr);
  }
});

t.test('what children and daemons write counts', async (t) => {
  const { code, stdoutBytes } = await run(
    t,
    ['sh', '-c', '(setsid sh -c "head -c 100000 /dev/zero") & wait; sleep 10'],
    { options: ['-stdoutlimit', '50000'] },
  );
  t.equal(code, 143);
  t.equal(stdoutBytes.length, 50_000);
});

/** The keeper looks at a small limit's file every 20 ms. */
const CUT = `
import os, sys, time
path = sys.argv[1]
def write(size): os.write(1, b"x" * size); time.sleep(0.2)
def cut(): os.truncate(path, 0)
def seek(to, how=os.SEEK_SET): os.lseek(1, to, how)
`;

for (const [what, flags, bytes, steps] of [
  ['is cut by copytruncate while the job appends', 'a', 600, 'write(300); cut(); write(300)'],
  ['is cut to less than what follows', 'a', 900, 'write(300); cut(); time.sleep(0.1); write(600)'],
  ['is cut while the job keeps its offset', 'w', 600, 'write(300); cut(); write(300)'],
  ['is cut again and again', 'a', 1000, 'for _ in range(10): write(100); cut(); time.sleep(0.1)'],
  ['is cut by the job, which begins anew', 'w', 400, 'write(300); cut(); seek(0); write(100)'],
  ['is cut before the job has written', 'a', 100, 'cut(); time.sleep(0.1); write(100)'],
  ['is written over from its beginning', 'w', 500, 'write(300); seek(0); write(200)'],
  ['is read from its beginning while it is appended to', 'a+', 400, 'write(300); seek(0); time.sleep(0.1); write(100)'],
  ['gets a new head, and goes on at its end', 'w', 410, 'write(300); seek(0); write(10); seek(0, 2); write(100)'],
] as const) {
  t.test(`what was written counts where the file ${what}`, async (t) => {
    const path = join(temporaryFolder(t), 'out');
    writeFileSync(path, 'x'.repeat(200));
    const fd = openSync(path, flags);
    const { code, stderr } = await run(t, [PYTHON, '-S', '-c', `${CUT}${steps}`, path], {
      options: ['-stdoutlimit', '5000', '--report'],
      stdio: ['ignore', fd, 'pipe'],
    });
    closeSync(fd);
    t.equal(code, 0, stderr);
    t.match(stderr, new RegExp(`^ {2}stdout +${bytes} B$`, 'm'));
  });
}

t.test('a file that is cut again and again does not take the limit away', async (t) => {
  const path = join(temporaryFolder(t), 'out');
  const fd = openSync(path, 'a');
  const { code, stderr } = await run(
    t,
    [PYTHON, '-S', '-c', `${CUT}while True: write(1000); cut(); time.sleep(0.1)`, path],
    {
      options: ['-stdoutlimit', '5000', '--report'],
      stdio: ['ignore', fd, 'pipe'],
    },
  );
  closeSync(fd);
  t.equal(code, 143);
  t.match(stderr, /ended +stdoutlimit/);
});

t.test('an explicit --stdoutlimit on what is not counted warns at the start', async (t) => {
  const none = openSync('/dev/null', 'w');
  const warning = /^proc_box: warn: --stdoutlimit has no effect: stdout is a device, and output to it is not counted/m;
  const to = (stdout: number | 'pipe', options: string[], env = {}) =>
    run(t, ['true'], { stdio: ['ignore', stdout, 'pipe'], options, env });
  t.match((await to(none, ['--stdoutlimit', '1M'])).stderr, warning);
  t.match((await to(none, [], { PBOX_STDOUTLIMIT: '1M' })).stderr, warning);
  t.notMatch((await to(none, [])).stderr, /stdoutlimit has no effect/, 'the default needs no word');
  t.notMatch((await to(none, ['--stdoutlimit', '0'])).stderr, /stdoutlimit has no effect/);
  t.notMatch((await to('pipe', ['--stdoutlimit', '1M'])).stderr, /stdoutlimit has no effect/, 'a socket is counted');
  const strict = await to(none, ['--stdoutlimit', '1M', '--enforce', 'strict']);
  t.equal(strict.code, 125);
  t.match(strict.stderr, /error: --stdoutlimit has no effect: .*\(--enforce strict\)/);
  closeSync(none);
});

t.test('a fast writer gets little beyond its limit into a file', async (t) => {
  const folder = t.testdir();
  const over: number[] = [];
  for (let round = 0; round < 5; round++) {
    const path = `${folder}/out${round}`;
    const file = openSync(path, 'w');
    const { code } = await run(t, ['sh', '-c', 'trap "" TERM QUIT; exec cat /dev/zero'], {
      stdio: ['ignore', file, 'pipe'],
      options: ['--stdoutlimit', '200M', '--grace', '2s'],
    });
    closeSync(file);
    t.equal(code, 137);
    over.push(statSync(path).size / 2 ** 20 - 200);
    rmSync(path);
  }
  over.sort((a, b) => a - b);
  t.comment(`MiB beyond the limit: ${over.map(Math.round).join(' ')}`);
  t.ok(over[2]! < 100, `${over.map(Math.round).join(' ')} MiB`);
});
