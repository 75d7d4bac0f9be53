import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run, start, temporaryFolder } from '../fixtures/run.js';

t.test('every exit code of the job is ours', async (t) => {
  const codes = Array.from({ length: 256 }, (_, code) => code);
  const found: (number | null)[] = [];
  // Eight at a time: 256 jobs one after the other take 8 s.
  for (let at = 0; at < codes.length; at += 8) {
    const results = await Promise.all(codes.slice(at, at + 8).map((code) => run(t, ['sh', '-c', `exit ${code}`])));
    found.push(...results.map(({ code }) => code));
  }
  t.strictSame(found, codes);
});

const DEADLY = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGABRT',
  'SIGFPE',
  'SIGKILL',
  'SIGSEGV',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGUSR1',
  'SIGXCPU',
] as const;
for (const name of DEADLY) {
  const number = constants.signals[name];
  t.test(`a job that dies of ${name} gives ${128 + number}, and with --reraise we die of it`, async (t) => {
    const command = ['sh', '-c', `ulimit -c 0; kill -${number} $$`];
    const [plain, raised] = await Promise.all([run(t, command), run(t, command, { options: ['--reraise'] })]);
    t.strictSame([plain.code, plain.signal], [128 + number, null]);
    t.strictSame([raised.code, raised.signal], [null, name]);
  });
}

t.test('a real-time signal gives 128 and its number', async (t) => {
  t.equal((await run(t, ['sh', '-c', 'kill -40 $$'])).code, 168);
});

t.test('--reraise leaves an exit code alone', async (t) => {
  t.strictSame((await run(t, ['sh', '-c', 'exit 143'], { options: ['--reraise'] })).code, 143);
});

t.test('a command that cannot be run', async (t) => {
  const dir = temporaryFolder(t);
  const script = (name: string, text: string, mode = 0o755) => {
    writeFileSync(join(dir, name), text);
    chmodSync(join(dir, name), mode);
  };
  script('no-x', '#!/bin/sh\n', 0o644);
  script('bad-interpreter', '#!/no/such/interpreter\n');
  script('garbage', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]).toString('latin1'));
  script('plain', 'echo "ran by sh: $1"; exit 12\n');
  script('empty', '');
  mkdirSync(join(dir, 'folder'));
  symlinkSync('nowhere', join(dir, 'dangling'));
  symlinkSync('loop', join(dir, 'loop'));
  const none = temporaryFolder(t);

  const cases: [string, string[], number, RegExp][] = [
    [
      'is not on PATH',
      ['no-such-command-anywhere'],
      127,
      /^proc_box: error: run no-such-command-anywhere: not found; it is not on PATH$/m,
    ],
    [
      'has a path that does not exist',
      ['/no/such/file'],
      127,
      /run \/no\/such\/file: not found; there is no such file/,
    ],
    ['has an empty name', [''], 127, /run "?"?: not found/],
    ['is a dangling link', [join(dir, 'dangling')], 127, /dangling: not found/],
    ['has a file for a folder', [join(dir, 'plain/x')], 127, /ENOTDIR; a part of its path is not a directory/],
    ['is a folder', [join(dir, 'folder')], 126, /folder: it is a directory; name a program in it/],
    ['is not executable', [join(dir, 'no-x')], 126, /no-x: EACCES; .*chmod \+x/],
    ['is not executable, found on PATH', ['no-x'], 126, /no-x: EACCES/],
    [
      'names an interpreter that is not there',
      [join(dir, 'bad-interpreter')],
      126,
      /bad-interpreter: ENOENT; the interpreter or loader that it names does not exist/,
    ],
    ['is a loop of links', [join(dir, 'loop')], 126, /loop: ELOOP/],
    [
      'has too many arguments',
      ['true', ...Array.from({ length: 20 }, () => 'x'.repeat(10_000))],
      126,
      /E2BIG; its arguments and environment are too long/,
    ],
  ];
  for (const [name, command, code, message] of cases) {
    t.test(`a command that ${name}: ${code}`, async (t) => {
      const env = command[0] === 'no-x' ? { PATH: `${none}:${dir}` } : {};
      // Arguments and environment may take a quarter of the stack: execve(2).
      const options = name === 'has too many arguments' ? ['--rlimit', 'stack=512K'] : [];
      const result = await run(t, command, { env, options });
      t.equal(result.code, code, result.stderr);
      t.match(result.stderr, message);
      t.equal(result.stderr.trimEnd().split('\n').length, 1, `one line: ${result.stderr}`);
      t.equal(result.stdout, '');
    });
  }

  t.test('a script without #! is run by sh, as execvp(3) does', async (t) => {
    const result = await run(t, [join(dir, 'plain'), 'argument']);
    t.strictSame([result.code, result.stdout], [12, 'ran by sh: argument\n']);
  });
  t.test('an empty script is run by sh', async (t) => {
    t.equal((await run(t, [join(dir, 'empty')])).code, 0);
  });
  t.test('PATH is searched in its order, past what cannot be executed', async (t) => {
    writeFileSync(join(none, 'plain'), '');
    const result = await run(t, ['plain', 'x'], { env: { PATH: `${none}:${dir}:/usr/bin:/bin` } });
    t.strictSame([result.code, result.stdout], [12, 'ran by sh: x\n']);
  });
  t.test('an empty part of PATH is the working directory', async (t) => {
    const result = await run(t, ['plain', 'x'], {
      env: { PATH: ':/usr/bin:/bin' },
      cwd: dir,
      through: ['/usr/bin/env'],
    });
    t.strictSame([result.code, result.stdout], [12, 'ran by sh: x\n']);
  });
  t.test('the PATH of the job is searched, and it is not the wrapper that needs it', async (t) => {
    const result = await run(t, ['/bin/echo', 'here'], { env: { PATH: '/nonexistent' } });
    t.strictSame([result.code, result.stdout], [0, 'here\n']);
  });
});

t.test('what is left when the main process ends gets SIGTERM, then SIGKILL', async (t) => {
  const script = `(trap 'echo asked' TERM; echo child; while :; do sleep 0.02; done) & while ! [ -e go ]; do sleep 0.01; done; exit 21`;
  const dir = temporaryFolder(t);
  const running = start(t, ['sh', '-c', script], { options: ['--grace', '400ms'], cwd: dir });
  await running.says('child\n');
  writeFileSync(join(dir, 'go'), '');
  const began = performance.now();
  const result = await running.done;
  const took = performance.now() - began;
  t.equal(result.code, 21, 'the status is that of the main process');
  t.match(result.stdout, 'asked\n');
  t.ok(took >= 350 && took < 1500, `the grace period was waited for: ${took} ms`);
  t.strictSame(running.members(), []);
});

t.test('--linger waits for what is left', async (t) => {
  const running = start(t, ['sh', '-c', '(sleep 0.4; echo late) & exit 22'], { options: ['--linger'] });
  const result = await running.done;
  t.strictSame([result.code, result.stdout], [22, 'late\n']);
});

t.test('--linger does not wait longer than the wall clock limit', async (t) => {
  const running = start(t, ['sh', '-c', 'setsid sleep 100 & exit 0'], {
    options: ['--linger', '-timeout', '400ms', '--grace', '1s'],
  });
  const result = await running.done;
  t.equal(result.code, 124);
  t.strictSame(running.members(), []);
});

t.test('the job that ends by itself while it is asked to keeps its status', async (t) => {
  const running = start(t, ['sh', '-c', "trap 'exit 33' TERM; echo ready; while :; do sleep 0.01; done"]);
  await running.says('ready');
  running.kill('SIGTERM');
  t.equal((await running.done).code, 33);
});

t.test('the last line tells the elapsed time', async (t) => {
  const { stderr } = await run(t, ['sleep', '0.35']);
  const seconds = Number(/Task elapsed time: (\d+\.\d\d) seconds\.\n$/.exec(stderr)?.[1]);
  t.ok(seconds >= 0.35 && seconds < 0.6, `${seconds}`);
});

t.test('--version and --help print on stdout and start nothing', async (t) => {
  const version = await run(t, ['touch', '/nonexistent/x'], { options: ['--version'] });
  t.match(version, { code: 0, stdout: /^proc_box \d+\.\d+\.\d+\n$/, stderr: '' });
  const help = await run(t, [], { options: ['--help'] });
  t.match(help, { code: 0, stdout: /-timeout|--timeout/, stderr: '' });
});
