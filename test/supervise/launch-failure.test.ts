import { mkdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import type { BoxSpec } from '../../src/options/spec.js';
import { launchFailure } from '../../src/supervise/launch-failure.js';

const spec = (command: readonly string[], more: Partial<BoxSpec> = {}) =>
  ({ command, rlimits: [], ...more }) as unknown as BoxSpec;
const failed = (step: string, code: string, index = -1) => ({ type: 'failed', step, index, errno: 0, code }) as const;
const exec = (name: string, code: string, index = -1) => launchFailure(failed('exec', code, index), spec([name]));
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const FAILED = 125;

t.test('a word that is no program is told with what was probably meant', async (t) => {
  const cases: Record<string, string> = {
    nosuch: 'it is not on PATH',
    './nosuch': 'there is no such file',
    chek: 'it is not on PATH; did you mean "proc_box check"?',
    flush: 'it is not on PATH; did you mean "proc_box spool flush"?',
    keygen: 'it is not on PATH; did you mean "proc_box ctl keygen"?',
    suspend: 'it is not on PATH; did you mean "proc_box ctl --job <id> suspend"?',
    help: 'it is not on PATH; did you mean "proc_box --help"?',
    version: 'it is not on PATH; did you mean "proc_box --version"?',
  };
  for (const [name, why] of Object.entries(cases))
    t.strictSame(exec(name, 'ENOENT', 0), { message: `run ${name}: not found; ${why}`, exitStatus: NOT_FOUND });
  t.strictSame(exec('TOKEN=s3cret', 'ENOENT', 0), {
    message:
      'run TOKEN=...: not found; a variable is set before proc_box: "TOKEN=... proc_box ..." or "proc_box ... env TOKEN=... <command>"',
    exitStatus: NOT_FOUND,
  });
  const uri = exec('amqp://u:s3cret@h', 'ENOENT', 0);
  t.match(uri.message, /not found; a URI of a broker is an option: write --uri before it, or better name a file/);
  t.notMatch(uri.message, /s3cret/);
});

t.test('a file that is there and does not run is told with the reason', async (t) => {
  const dir = t.testdir({});
  mkdirSync(`${dir}/folder`);
  writeFileSync(`${dir}/script`, '#!/no/such\n');
  t.strictSame(exec(`${dir}/folder`, 'EACCES'), {
    message: `run ${dir}/folder: it is a directory; name a program in it`,
    exitStatus: NOT_EXECUTABLE,
  });
  const cases: readonly (readonly [string, string, number])[] = [
    ['ENOENT', 'the interpreter or loader that it names does not exist; look at its first line', NOT_EXECUTABLE],
    ['EACCES', 'it is not an executable file; try `chmod +x`', NOT_EXECUTABLE],
    [
      'ENOEXEC',
      'it, or the interpreter that it names, is neither a program for this machine nor a script',
      NOT_EXECUTABLE,
    ],
    ['E2BIG', 'its arguments and environment are too long', NOT_EXECUTABLE],
    ['ENOTDIR', 'a part of its path is not a directory', NOT_FOUND],
    ['ETXTBSY', 'somebody is writing to it', NOT_EXECUTABLE],
    ['EPERM', 'the kernel refused to execute it', NOT_EXECUTABLE],
  ];
  for (const [code, why, exitStatus] of cases)
    t.strictSame(exec(`${dir}/script`, code), { message: `run ${dir}/script: ${code}; ${why}`, exitStatus });
  t.match(exec('script', 'ENOENT'), { message: /run script: ENOENT; the interpreter or loader/ }, 'found on PATH');
});

t.test('a limit that is refused is told with its values', async (t) => {
  const rlimits: BoxSpec['rlimits'] = [
    { name: 'core', soft: 0 },
    { name: 'nofile', soft: 10, hard: 'unlimited' },
  ];
  const rlimit = (index: number, code: string) =>
    launchFailure(failed('rlimit', code, index), spec(['x'], { rlimits }));
  t.strictSame(rlimit(1, 'EPERM'), {
    message:
      'set --rlimit nofile=10:unlimited: EPERM; raising a hard limit needs CAP_SYS_RESOURCE; `prlimit --nofile` shows the highest that is allowed',
    exitStatus: FAILED,
  });
  t.equal(rlimit(0, 'EINVAL').message, 'set --rlimit core=0:: EINVAL; `man setrlimit` tells the range');
});

t.test('another step is named', async (t) => {
  const other = (code: string) => launchFailure(failed('fork', code), spec(['./job']));
  t.strictSame(other('EAGAIN'), {
    message: 'launch ./job: fork: EAGAIN; the limit of processes (nproc or pids) is reached',
    exitStatus: FAILED,
  });
  t.equal(other('ENOMEM').message, 'launch ./job: fork: ENOMEM; see proc_box --debug');
});
