import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { shellOfDirectives } from '../../../src/cli/qsub/directives.js';
import { PROC_BOX, plainEnvironment, run } from '../../fixtures/run.js';

const scripts = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'scripts', 'site', 'pbs');
const QSUB_BOX = join(scripts, 'qsub-box');
const BOX_SHELL = join(scripts, 'box-shell');

/** A qsub that shows what it was given: words, stdin and all variables but those that shells set; exit status 7. */
const FAKE = `#!/bin/sh
printf '%s\\0' "$@"; printf '\\0stdin:'; cat; echo "37.srv" >&2; env | grep -v '^\\(_\\|PWD\\|OLDPWD\\|SHLVL\\)=' >"$HOME/env"; exit 7
`;

function submit(
  t: Test,
  words: readonly string[],
  options: { input?: string; env?: Record<string, string>; as?: string } = {},
) {
  const home = t.testdir({
    bin: {},
    'job.sh': '#!/bin/sh\n#PBS -N x -v A=b\n#PBS -S /bin/dash\necho\n#PBS -S /bin/late\n',
  });
  writeFileSync(join(home, 'bin', 'qsub'), FAKE, { mode: 0o755 });
  const env = { ...plainEnvironment(), HOME: home, PATH: `${home}/bin:${process.env['PATH']}`, ...options.env };
  const { stdout, stderr, status } = spawnSync(options.as ?? QSUB_BOX, words, {
    input: options.input ?? '',
    encoding: 'utf8',
    cwd: home,
    env,
  });
  const [given = '', stdin = ''] = stdout.split('\0\0stdin:');
  const shells = join(home, '.proc_box', 'shells');
  const shell = (path: string) => readFileSync(path, 'utf8').split('\n').at(-2);
  return { words: given.split('\0'), stdin, stderr, status, home, shells, shell, env };
}

t.test('a script: the shell is a box shell, and all the rest is as it was given', async (t) => {
  const given = ['-l', 'select=1:ncpus=1', '-v', 'X="a b",Y', '-N', 'na me', 'job.sh'];
  const { words, stderr, status, shell, env, home } = submit(t, ['--memory', '4G', '-uri=none', '-debug', ...given]);
  t.strictSame([words[0], ...words.slice(2)], ['-S', ...given]);
  t.strictSame([stderr, status], ['37.srv\n', 7], "qsub's own");
  t.equal(shell(words[1]!), `exec '${BOX_SHELL}' '--shell' '/bin/dash' '--memory=4G' '--uri=none' '--debug=true'`);
  const seen = Object.fromEntries(
    readFileSync(join(home, 'env'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line] as const),
  );
  // The stand-in for qsub leaves out what shells count for themselves.
  const expected = Object.keys(env).filter((name) => name !== 'SHLVL');
  t.strictSame(Object.keys(seen).sort(), expected.sort(), 'the environment, for -V');
});

t.test('without options and shells of its own it is the installed box shell', async (t) => {
  t.strictSame(submit(t, ['-I', '-l', 'ncpus=1']).words, ['-S', BOX_SHELL, '-I', '-l', 'ncpus=1']);
  const { words, stdin } = submit(t, [], { input: 'echo hi\n' });
  t.strictSame([words, stdin], [['-S', BOX_SHELL], 'echo hi\n']);
});

t.test('stdin: its directives count, and it reaches qsub byte for byte', async (t) => {
  const input = `#PBS -S "/opt/my shell"\n${'x'.repeat(200_000)}\n\n`;
  const { words, stdin, shell } = submit(t, ['-N', 'n', '-'], { input });
  t.strictSame(words.slice(2), ['-N', 'n', '-']);
  t.equal(stdin, input);
  t.equal(shell(words[1]!), `exec '${BOX_SHELL}' '--shell' '/opt/my shell'`);
});

t.test('a shell of the command line is kept inside, where it stood', async (t) => {
  const { words, shell } = submit(t, ['-l', 'ncpus=1', '-S', '/bin/tcsh@a,/bin/sh', 'job.sh']);
  t.strictSame([...words.slice(0, 3), words[4]], ['-l', 'ncpus=1', '-S', 'job.sh']);
  t.equal(shell(words[3]!), `exec '${BOX_SHELL}' '--shell' '/bin/tcsh@a,/bin/sh'`);
});

t.test('-- command: proc_box comes before it; what PBS would lose is packed', async (t) => {
  t.strictSame(submit(t, ['--memory=4G', '-N', 'n', '--', '/bin/echo', 'a b', '-S']).words, [
    ...['-N', 'n', '--', PROC_BOX, '--memory=4G', '--', '/bin/echo', 'a b', '-S'],
  ]);
  const hard = ['', "it's", 'two\nlines', ' x ', '$HOME', 'ü;%'];
  const { words } = submit(t, ['-uri', 'none', '--', 'printf', '[%s]', ...hard]);
  t.strictSame(words.slice(0, 2), ['--', PROC_BOX]);
  t.equal(words.length, 3);
  const { stdout } = await run(t, [], { bare: true, options: [words[2]!] });
  t.equal(stdout, hard.map((word) => `[${word}]`).join(''));
});

t.test('equal options share one file, and other options have another', async (t) => {
  const { shells, env, home } = submit(t, ['--memory', '1G', 'job.sh']);
  for (const size of ['1G', '2G', '2G']) spawnSync(QSUB_BOX, ['--memory', size, 'job.sh'], { env, cwd: home });
  t.equal(readdirSync(shells).length, 2);
});

t.test('as qsub in PATH it finds the real one; --version is that one’s', async (t) => {
  const links = mkdtempSync(join(tmpdir(), 'proc_box-test-'));
  t.teardown(() => rmSync(links, { recursive: true }));
  const as = join(links, 'qsub');
  symlinkSync(QSUB_BOX, as);
  const { words, status } = submit(t, ['--version'], { as });
  t.strictSame([words, status], [['--version'], 7]);
  t.equal(submit(t, ['job.sh'], { env: { PROC_BOX_QSUB: '/bin/echo' } }).status, 0);
});

t.test('what is wrong is said before anything is submitted', async (t) => {
  for (const [words, message] of [
    [['--memory', '4X', 'job.sh'], /--memory: "4X" is not a size/],
    [['--memroy', '4G', 'job.sh'], /unknown option --memroy; did you mean "memory"\?/],
    [['--memory'], /option --memory needs a value/],
    [['job.sh', '-S'], /-S needs a value/],
    [['--uri=amqp://u:secret@h', 'job.sh'], /^qsub-box: error: --uri holds a password, .*: use --uri-file\n$/],
  ] as const) {
    const { stderr, status } = submit(t, words);
    t.match(stderr, message);
    t.equal(status, 125);
  }
  t.match(
    submit(t, ['--pids=5', 'job.sh'], { env: { PROC_BOX_SHELLS: '/etc/passwd/here' } }).stderr,
    /write \/etc\/passwd\/here\/.*: ENOTDIR; set PROC_BOX_SHELLS/,
  );
  t.match(submit(t, ['--pids=5', 'job.sh'], { env: { PROC_BOX_SHELLS: '/tmp/a b' } }).stderr, /no shell with blanks/);
  t.match(
    submit(t, ['job.sh'], { env: { PATH: `${dirname(process.execPath)}-none:/bin` } }).stderr,
    /node is not in PATH|no qsub in PATH/,
  );
});

t.test('~/ in a path is the home that a shell would have put there', async (t) => {
  const of = (...words: string[]) => {
    const { words: given, shell, home, stderr } = submit(t, [...words, '-I']);
    return { line: shell(given[1]!)?.replaceAll(home, 'HOME'), stderr };
  };
  for (const [words, expected] of [
    [['--uri-file=~/x'], '--uri-file=HOME/x'],
    [['--uri-file', '~/x y'], '--uri-file=HOME/x y'],
    [['-config=~'], '--config=HOME'],
    [['--spool-dir=a/../b'], '--spool-dir=HOME/b'],
    [['--config=none'], '--config=none'],
    [['--uri-file=./~/x'], '--uri-file=HOME/~/x'],
    [['--json={"a": "~/x"}'], '--json={"a": "~/x"}'],
  ] as const) {
    t.match(of(...words).line, `'${expected}'`, words.join(' '));
  }
  const other = submit(t, ['--uri-file=~bob/x', '-I']);
  t.match(other, {
    status: 125,
    stderr: /--uri-file=~bob\/x: only a shell can look up the home of bob: write the whole path/,
  });
  const command = submit(t, ['--uri-file=~/x', '--', '/bin/echo', '~/y']);
  t.strictSame(command.words.slice(-4), [`--uri-file=${command.home}/x`, '--', '/bin/echo', '~/y']);
});

t.test('shells by host, and other forms of options, as qsub reads them', async (t) => {
  const list = '/bin/bash@n1,/bin/sh';
  for (const words of [['-S', list], [`-S${list}`], ['-zS', list], ['-S', '/bin/late', '-S', list]]) {
    const { words: given, shell } = submit(t, ['--memory=1G', ...words, 'job.sh']);
    const path = given.findLast((word) => word.includes('/shells/'))!.replace(/^-z?S/, '');
    t.equal(shell(path), `exec '${BOX_SHELL}' '--shell' '${list}' '--memory=1G'`, words.join(' '));
  }
  const kept = [
    '-lselect=1',
    '-o',
    'host:/tmp/x',
    '-Wsandbox=PRIVATE',
    '-W',
    'block=true',
    '-koed',
    '-J1-3',
    '-vA=~/x',
  ];
  t.strictSame(submit(t, ['--memory=1G', ...kept, 'job.sh']).words.slice(2), [...kept, 'job.sh']);
  const prefixed = '#QQ -S /bin/dash\n';
  for (const words of [['-C', '#QQ'], ['-C#QQ'], ['-zC', '#QQ']])
    t.equal(shellOfDirectives(prefixed, words), '/bin/dash');
  t.equal(shellOfDirectives('#PBS -S /bin/dash\n', ['-N', '-C', 'job']), '/bin/dash', 'a name is no prefix');
});

t.test('the box shell takes the shell of its host', async (t) => {
  const here = hostname().split('.')[0]!;
  for (const [list, shell] of [
    ['/bin/bash@n1,/bin/sh', '-sh'],
    [`/bin/bash@${here},/bin/sh`, '-bash'],
    [`/bin/sh,/bin/bash@${here}.some.domain`, '-bash'],
    [`/bin/sh@${here}x,/bin/bash`, '-bash'],
    ['/bin/sh', '-sh'],
  ] as const) {
    const words = ['--shell', list, '-uri', 'none', '--config', 'none'];
    const { stdout } = spawnSync(BOX_SHELL, words, { input: 'echo "$0"\n', encoding: 'utf8', env: plainEnvironment() });
    t.equal(stdout, `${shell}\n`, list);
  }
});
