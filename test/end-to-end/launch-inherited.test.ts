import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { environmentOf, processState, until } from '../fixtures/processes.js';
import { findProgram } from '../fixtures/programs.js';
import {
  job,
  PROC_BOX,
  PYTHON,
  plainEnvironment,
  type RunOptions,
  run,
  start,
  temporaryFolder,
} from '../fixtures/run.js';

interface Inherited {
  argv: string[];
  cwd: string;
  umask: number;
  environment: string[];
  ignored: string;
  blocked: string;
  descriptors: Record<string, string>;
  limits: Record<string, [string, string]>;
  nice: number;
  pid: number;
  ppid: number;
  group: number;
  session: number;
}

/** What a process of the box finds, and what the same process finds without the box. */
async function compare(t: Test, options: RunOptions, ...args: string[]) {
  const boxed = await run(t, job('inherited.py', ...args), options);
  t.equal(boxed.code, 0, boxed.stderr);
  const words = [...(options.through ?? []), ...job('inherited.py', ...args)];
  const bare = spawnSync(words[0]!, words.slice(1), {
    encoding: 'utf8',
    env: plainEnvironment(options.env),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  t.equal(bare.status, 0, bare.stderr);
  return { boxed: JSON.parse(boxed.stdout) as Inherited, bare: JSON.parse(bare.stdout) as Inherited };
}

const shell = (script: string) => ['bash', '-c', `${script}; exec "$@"`, 'bash'];
const CASES: [string, RunOptions, keyof Inherited, (bare: Inherited, t: Test) => void][] = [
  ['the working directory', { cwd: '/usr/lib' }, 'cwd', (bare, t) => t.equal(bare.cwd, '/usr/lib')],
  ['the umask', { through: shell('umask 0137') }, 'umask', (bare, t) => t.equal(bare.umask, 0o137)],
  ['the nice value', { through: ['nice', '-n', '5'] }, 'nice', (bare, t) => t.ok(bare.nice >= 5)],
  ['what nohup ignores', { through: ['nohup'] }, 'ignored', (bare, t) => t.equal(BigInt(`0x${bare.ignored}`) & 1n, 1n)],
  [
    "what trap '' ignores",
    { through: shell("trap '' INT QUIT TERM USR1 PIPE CHLD") },
    'ignored',
    (bare, t) => t.not(bare.ignored, '0'),
  ],
  ['the default signals', {}, 'ignored', () => {}],
  [
    'the soft nofile limit',
    { through: shell('ulimit -Sn 77') },
    'limits',
    (bare, t) => t.equal(bare.limits['Max open files']?.[0], '77'),
  ],
  [
    'soft limits',
    { through: shell('ulimit -Ss 1000 -Sc 0 -Su 5000 -Sf 1000000') },
    'limits',
    (bare, t) => t.equal(bare.limits['Max stack size']?.[0], '1024000'),
  ],
  [
    'the signal mask',
    {
      through: [
        PYTHON,
        '-S',
        '-c',
        'import os,signal,sys; signal.pthread_sigmask(signal.SIG_BLOCK, [1, 10, 12, 15, 40]); os.execvp(sys.argv[1], sys.argv[1:])',
      ],
    },
    'blocked',
    (bare, t) => t.not(BigInt(`0x${bare.blocked}`), 0n),
  ],
  ['no descriptors but its own', {}, 'descriptors', () => {}],
];

for (const [name, options, key, check] of CASES) {
  t.test(`the job gets ${name} as without us`, async (t) => {
    const { boxed, bare } = await compare(t, options);
    check(bare, t);
    if (key === 'descriptors') t.strictSame(Object.keys(boxed.descriptors), Object.keys(bare.descriptors));
    else t.strictSame(boxed[key], bare[key]);
  });
}

t.test('the wrapper runs under a low address space limit that is meant for the job', async (t) => {
  const { boxed } = await compare(t, { through: shell('ulimit -Sv 300000') });
  t.equal(boxed.limits['Max address space']?.[0], String(300_000 * 1024));
});

t.test('the arguments reach the job untouched', async (t) => {
  const args = ['', ' ', '-timeout', '--', '-uri=x', '$HOME', '*', '"', "'", '\\', '\n', 'ä€𝄞', 'x'.repeat(100_000)];
  const { boxed, bare } = await compare(t, {}, ...args);
  t.strictSame(bare.argv, args);
  t.strictSame(boxed.argv, args);
});

t.test('arguments that are not UTF-8 reach the job', async (t) => {
  const script = `exec "$@" printf %s $'a\\xff\\xe4b'`;
  const { code, stdoutBytes } = await run(t, [], { through: ['bash', '-c', script, 'bash'] });
  t.equal(code, 0);
  t.equal(stdoutBytes.toString('latin1'), 'a\xff\xe4b');
});

t.test('the environment reaches the job in its order, odd names and all, without PBOX_*', async (t) => {
  const env = {
    'BASH_FUNC_x%%': '() {  echo hi\n}',
    NODE_OPTIONS: '--no-such-option-of-node',
    NODE_EXTRA_CA_CERTS: '/nonexistent',
    LD_PRELOAD: '/nonexistent/library.so',
    LD_LIBRARY_PATH: '/nonexistent',
    'a-b.c': 'x',
    EMPTY: '',
    ÄÖ: 'ü€',
    MULTI: 'a\nb=c',
    BIG: 'y'.repeat(100_000),
    PBOX_SINT: '2m',
    PBOX_RKEY: 'key',
    PBOX_NO_SUCH_OPTION: 'x',
    PBOXNOT: 'stays',
    XPBOX_Y: 'stays',
  };
  const { boxed, bare } = await compare(t, { env });
  const others = ({ environment }: Inherited) =>
    environment.filter((entry) => !entry.startsWith('PBOX_') && !entry.startsWith('PROC_BOX_TEST_RUN='));
  t.strictSame(others(boxed), others(bare));
  t.equal(boxed.environment.filter((entry) => entry.startsWith('PBOX_')).length, 0);
  for (const [name, value] of Object.entries(env).filter(([name]) => !name.startsWith('PBOX_'))) {
    t.ok(boxed.environment.includes(`${name}=${value}`), name);
  }
});

t.test('entries of the environment that are no assignments, or not UTF-8, or twice there, reach the job', async (t) => {
  const program = `import ctypes, os, sys
libc = ctypes.CDLL(None)
env = (ctypes.c_char_p * 6)(b"PATH=/usr/bin:/bin", b"noassignment", b"LATIN=\\xe4\\xff", b"TWICE=1", b"TWICE=2", None)
words = [os.fsencode(w) for w in sys.argv[1:]]
libc.execve(words[0], (ctypes.c_char_p * (len(words) + 1))(*words, None), env)`;
  const { code, stdoutBytes } = await run(t, ['/bin/cat', '/proc/self/environ'], {
    through: [PYTHON, '-S', '-c', program],
  });
  t.equal(code, 0);
  t.equal(stdoutBytes.toString('latin1'), 'PATH=/usr/bin:/bin\0noassignment\0LATIN=\xe4\xff\0TWICE=1\0TWICE=2\0');
});

t.test('what is meant for the job does not touch the wrapper', async (t) => {
  const dir = temporaryFolder(t);
  // Would end Node, and writes a file from wherever it is loaded.
  writeFileSync(
    join(dir, 'hook.cjs'),
    `require('node:fs').appendFileSync(${JSON.stringify(join(dir, 'loaded'))}, 'x'); process.exit(99);`,
  );
  const { code } = await run(t, ['true'], {
    env: { NODE_OPTIONS: `--require ${dir}/hook.cjs`, NODE_PATH: dir, LD_AUDIT: `${dir}/none.so` },
  });
  t.equal(code, 0);
  t.throws(() => readFileSync(join(dir, 'loaded')), { code: 'ENOENT' });
});

t.test(
  'a library that is preloaded for the job is loaded by the job only',
  { skip: findProgram('cc') ? false : 'needs a C compiler' },
  async (t) => {
    const dir = temporaryFolder(t);
    writeFileSync(
      join(dir, 'l.c'),
      `#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) static void loaded(void) { char b[64] = {0}; readlink("/proc/self/exe", b, 63); FILE* f = fopen(getenv("LOADED"), "a"); fprintf(f, "%s\\n", b); fclose(f); }\n`,
    );
    const cc = spawnSync('cc', ['-shared', '-fPIC', '-o', join(dir, 'l.so'), join(dir, 'l.c'), '-w'], {
      encoding: 'utf8',
    });
    t.equal(cc.status, 0, cc.stderr);
    const loaded = join(dir, 'loaded');
    const { code } = await run(t, ['/bin/sleep', '0'], { env: { LD_PRELOAD: join(dir, 'l.so'), LOADED: loaded } });
    t.equal(code, 0);
    t.match(readFileSync(loaded, 'utf8').trim().split('\n'), [/sleep|coreutils/]);
    t.equal(readFileSync(loaded, 'utf8').trim().split('\n').length, 1);
  },
);

t.test('extra descriptors reach the job', async (t) => {
  const dir = temporaryFolder(t);
  const fds = Array.from({ length: 10 }, (_, n) => openSync(join(dir, `f${n}`), 'w'));
  const script = 'for fd in 3 4 5 6 7 8 9 10 11 12; do eval "echo $fd >&$fd"; done';
  const { code } = await run(t, ['bash', '-c', script], { stdio: ['ignore', 'pipe', 'pipe', ...fds] });
  for (const fd of fds) closeSync(fd);
  t.equal(code, 0);
  t.strictSame(
    Array.from({ length: 10 }, (_, n) => readFileSync(join(dir, `f${n}`), 'utf8')),
    Array.from({ length: 10 }, (_, n) => `${n + 3}\n`),
  );
});

t.test('a job that closes an extra descriptor is seen at its other end while it goes on', async (t) => {
  const running = start(t, ['sh', '-c', 'echo over >&3; exec 3>&-; read line; exit 8'], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const extra = running.child.stdio[3] as NodeJS.ReadableStream;
  let text = '';
  extra.on('data', (chunk) => (text += chunk));
  await new Promise((resolve) => extra.on('end', resolve));
  t.equal(text, 'over\n');
  t.ok(running.members().length >= 3);
  running.child.stdin?.end('\n');
  t.equal((await running.done).code, 8);
});

t.test(
  "a GNU make jobserver's pair reaches the job",
  { skip: findProgram('make') ? false : 'needs make' },
  async (t) => {
    const dir = temporaryFolder(t);
    mkdirSync(join(dir, 'inner'));
    writeFileSync(
      join(dir, 'Makefile'),
      `all:\n\t+@${PROC_BOX} -uri none --config none --nowarn $(MAKE) -C inner --no-print-directory\n`,
    );
    writeFileSync(join(dir, 'inner/Makefile'), 'all: a b c\na b c:\n\t@echo $@\n');
    const { status, stdout, stderr } = spawnSync('make', ['-j3', '--no-print-directory'], {
      cwd: dir,
      encoding: 'utf8',
      env: plainEnvironment(),
    });
    t.equal(status, 0, stderr);
    t.strictSame(stdout.trim().split('\n').sort(), ['a', 'b', 'c']);
    t.notMatch(stderr, /jobserver/);
  },
);

t.test('EOF on stdin is passed on', async (t) => {
  const { code, stdout } = await run(t, ['cat']);
  t.strictSame({ code, stdout }, { code: 0, stdout: '' });
});

t.test('stdin reaches the job byte for byte', async (t) => {
  const input = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7) % 256));
  const { stdoutBytes } = await run(t, ['cat'], { stdio: ['pipe', 'pipe', 'pipe'], input });
  t.ok(stdoutBytes.equals(input));
});

t.test('a loop that reads a file loses no line of it', async (t) => {
  const dir = temporaryFolder(t);
  writeFileSync(join(dir, 'lines'), 'a\nb\nc\nd\n');
  const script = `while read -r line; do "${PROC_BOX}" -uri none --config none --nowarn sh -c "echo job $line" 2>/dev/null; done < lines`;
  const { stdout } = spawnSync('bash', ['-c', script], { cwd: dir, encoding: 'utf8', env: plainEnvironment() });
  t.equal(stdout, 'job a\njob b\njob c\njob d\n');
});

t.test('the writer to stdin sees when the job has closed it', async (t) => {
  const result = spawnSync(
    'bash',
    [
      '-c',
      `yes | "${PROC_BOX}" -uri none --config none sh -c 'head -n1; exec <&-; echo "$(sleep 0.1)more"'; echo "\${PIPESTATUS[0]}"`,
    ],
    { encoding: 'utf8', env: plainEnvironment() },
  );
  t.equal(result.stdout, 'y\nmore\n141\n');
});

t.test('the job is in the session that the wrapper was given, in a group of its own', async (t) => {
  const running = start(t, ['sleep', '100'], { detached: true });
  const main = await running.jobPid();
  const wrapper = processState(running.pid)!;
  const keeper = processState(running.keeperPid())!;
  const boxed = processState(main)!;
  t.equal(wrapper.session, running.pid, 'the wrapper stays where it was');
  t.equal(wrapper.group, running.pid);
  t.equal(boxed.session, wrapper.session);
  t.equal(boxed.group, main);
  t.equal(boxed.ppid, keeper.pid);
  t.equal(processState(keeper.ppid)?.ppid, wrapper.pid, 'the guard is between them');
  t.not(keeper.session, wrapper.session, 'the keeper has left the session');
  await running.end();
});

t.test('proc_box in a pipeline, in a subshell, and inside proc_box', async (t) => {
  const inner = `"${PROC_BOX}" -uri none --config none --nowarn`;
  const script = `(${inner} ${inner} ${inner} sh -c 'echo in; exit 3' 2>/dev/null; echo "$?") | ${inner} cat 2>/dev/null`;
  const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env: plainEnvironment() });
  t.equal(stdout, 'in\n3\n');
});

t.test('the main process has the environment from its first instruction on', async (t) => {
  const running = start(t, ['sleep', '100'], { env: { PBOX_SINT: '1m', X: 'y' } });
  const main = await running.jobPid();
  t.notOk(environmentOf(main)?.some((entry) => entry.startsWith('PBOX_')));
  t.ok(environmentOf(main)?.includes('X=y'));
  await running.end();
  await until(() => running.members().length === 0, 'all have ended');
});
