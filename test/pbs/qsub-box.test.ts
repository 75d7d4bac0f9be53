import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { BOX_SHELL, configure, startMom } from '../fixtures/mom.js';
import { until } from '../fixtures/processes.js';
import { plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** From `qsub-box` to the job: what it hands to qsub is what MoM executes. */

const QSUB_BOX = join(dirname(BOX_SHELL), 'qsub-box');
const NO_BROKER = ['-uri', 'none', '--config', 'none'];

/** The words that qsub gets. */
function submit(t: Test, words: readonly string[], input = ''): string[] {
  const home = temporaryFolder(t);
  const qsub = join(home, 'qsub');
  writeFileSync(qsub, '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 });
  const env = { ...plainEnvironment(), HOME: home, PROC_BOX_QSUB: qsub };
  const { stdout, stderr, status } = spawnSync(QSUB_BOX, [...NO_BROKER, ...words], { input, encoding: 'utf8', env });
  if (status !== 0) throw new Error(stderr);
  return stdout.split('\0').slice(0, -1);
}

const shellOf = (words: readonly string[]) => words[words.indexOf('-S') + 1]!;

t.test('a script from stdin: options and shell reach the job', async (t) => {
  const script = '#PBS -S /bin/dash\nulimit -n; tr "\\0" " " </proc/$PPID/cmdline; echo "$SHELL"; exit 6\n';
  const shell = shellOf(submit(t, ['--rlimit', 'nofile=77', '-N', 'name'], script));
  const mom = startMom(t);
  const task = await mom.run({ script: `#!/bin/sh\n${script}`, shell });
  t.equal(await task.exitStatus, 6);
  t.match(task.output(), /^77$/m);
  t.match(task.output(), /^-dash \/bin\/dash$/m);
});

t.test('-I: the shell of the job has the options', async (t) => {
  const shell = shellOf(submit(t, ['--rlimit', 'nofile=78', '-I', '-S', '/bin/bash']));
  const mom = startMom(t);
  const task = await mom.run({ interactive: true, shell, env: { PS1: '> ' } });
  await until(() => task.output().includes('started in box'), 'the shell runs');
  task.type('echo "files $(ulimit -n)" $0; exit\n');
  t.equal(await task.exitStatus, 0);
  t.match(task.output(), /files 78 -bash\r\n/);
});

t.test('-- command: its arguments arrive, also where the site has the hook', async (t) => {
  const program = 'ulimit -n; printf "[%s]" "$@"; exit 5';
  const given = ['a b', '', 'two\nlines', ' x ', 'c,d'];
  const words = submit(t, ['--rlimit', 'nofile=79', '-N', 'name', '--', '/bin/sh', '-c', program, 'sh', ...given]);
  const command = words.slice(words.indexOf('--') + 1);
  t.notOk(command.includes(''), 'PBS drops what is empty');
  const mom = startMom(t);
  for (const hook of [undefined, configure(mom)]) {
    const task = await mom.run({ command, ...(hook && { hook }) });
    t.equal(await task.exitStatus, 5);
    t.match(task.output(), /^79$/m);
    t.match(task.output(), given.map((word) => `[${word}]`).join(''));
  }
});
