import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import t from 'tap';
import { PYTHON, run, start, temporaryFolder } from '../fixtures/run.js';

/** What holds a password never becomes a core dump, and nobody reads its memory. */

const root = process.getuid?.() === 0;
const asUser = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const SECRET = 'amqp://alice:S3cr3t@127.0.0.1:1/';
const options = ['--config', 'none', '--flush', '0'];

/** Runs its arguments with cores allowed, and prints how that ended: signal, and whether the kernel wrote a core. */
const REPORT = `import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
status = os.waitpid(pid, 0)[1]
print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, os.WCOREDUMP(status))`;
const dir = temporaryFolder(t);
chmodSync(dir, 0o777);
const control = spawnSync(PYTHON, ['-c', REPORT, 'sh', '-c', 'kill -SEGV $$'], { cwd: dir, encoding: 'utf8' });
const dumps = control.stdout.trim() === '11 True';
for (const name of readdirSync(dir)) t.ok(/core/.test(name), `the control dumped ${name}`);

t.test('the wrapper leaves no core', { skip: !dumps && 'this host writes no core dumps at all' }, async (t) => {
  const words = ['-c', REPORT];
  const running = start(t, ['sleep', '100'], {
    bare: true,
    options: [...options, '-uri', SECRET],
    through: [PYTHON, ...words],
    cwd: dir,
  });
  await running.jobPid();
  const wrapper = running.members().find((pid) => pid !== running.pid && isWrapper(pid))!;
  const before = readdirSync(dir).length;
  process.kill(wrapper, 'SIGSEGV');
  const { stdout } = await running.done;
  t.equal(stdout.trim(), '11 False', 'it died of the signal, without a core');
  t.equal(readdirSync(dir).length, before);
});

t.test(
  'wrapper and keeper are closed to their own user',
  { skip: !root && 'needs root to become another user' },
  async (t) => {
    const running = start(t, ['sleep', '100'], { bare: true, options: [...options, '-uri', SECRET], through: asUser });
    await running.jobPid();
    for (const pid of [running.pid, running.keeperPid()]) {
      // proc_pid(5): the files of a process that is not dumpable are root's.
      t.equal(statSync(`/proc/${pid}/environ`).uid, 0, `not dumpable: ${pid}`);
      for (const file of ['environ', 'mem', 'maps', 'fd', 'auxv', 'stack', 'syscall']) {
        const look = file === 'fd' ? ['ls'] : ['head', '-c1'];
        const { status } = spawnSync('setpriv', [...asUser.slice(1), ...look, `/proc/${pid}/${file}`]);
        t.not(status, 0, `${file} of ${pid}`);
      }
    }
    await running.end();
  },
);

t.test(
  'the job itself may leave a core as ever',
  { skip: !dumps && 'this host writes no core dumps at all' },
  async (t) => {
    const { stderr, code } = await run(t, ['sh', '-c', 'kill -SEGV $$'], {
      bare: true,
      options: [...options, '-uri', 'none', '--report', '--rlimit', 'core=unlimited'],
      cwd: dir,
    });
    t.equal(code, 139);
    t.match(stderr, /SIGSEGV/);
  },
);

function isWrapper(pid: number): boolean {
  const { stdout } = spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' });
  return stdout.includes('boot.cjs') || stdout.split('\0').includes('amqp://***@127.0.0.1:1/');
}
