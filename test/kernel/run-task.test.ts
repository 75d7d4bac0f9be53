import { existsSync, readFileSync } from 'node:fs';
import type { FileOp, FileResult } from 'cgroup-utils-native';
import t from 'tap';
import { inThisProcess, runHere, runInKeeper } from '../../src/kernel/run-task.js';
import { known, type Task } from '../../src/kernel/task.js';

/** A task of one batch. */
function* batch(...ops: readonly FileOp[]): Task<readonly FileResult[]> {
  return yield ops;
}

t.test('this process carries out a batch in order, and goes on after a failure', async (t) => {
  const dir = t.testdir({ file: 'old\n', 'cgroup.procs': '7\n8\n7\n' });
  const results = runHere(
    batch(
      { op: 'read', path: `${dir}/file` },
      { op: 'write', path: `${dir}/none`, text: 'x' },
      { op: 'write', path: `${dir}/file`, text: 'new' },
      { op: 'mkdir', path: `${dir}/group` },
      { op: 'mkdir', path: `${dir}/group/below` },
      { op: 'rmdir', path: `${dir}/group` },
      { op: 'rmtree', path: `${dir}/group` },
      { op: 'exists', path: `${dir}/group` },
      { op: 'writable', path: `${dir}/file` },
      { op: 'processes', path: `${dir}/cgroup.procs` },
    ),
  );
  t.strictSame(
    results.map(({ error, text }) => error ?? text),
    ['old\n', 'ENOENT', '', '', '', 'ENOTEMPTY', '', 'ENOENT', '', '7\n8\n'],
  );
  t.equal(readFileSync(`${dir}/file`, 'utf8').slice(0, 3), 'new');
  t.notOk(existsSync(`${dir}/group`));
});

t.test('files of /proc are those of this process, or of a live thread of another', async (t) => {
  const [mounts, groups, status, none] = runHere(
    batch(
      { op: 'mountinfo' },
      { op: 'cgroup', pid: null },
      { op: 'status', pid: process.ppid },
      { op: 'status', pid: 2 ** 22 + 1 },
    ),
  );
  t.match(mounts?.text, / - proc /);
  t.equal(groups?.text, readFileSync('/proc/self/cgroup', 'utf8'));
  t.match(status?.text, new RegExp(`^Pid:\\s+${process.ppid}$`, 'm'));
  t.match(none, { error: 'ENOENT' });
  t.equal(await inThisProcess(known(7)), 7);
});

t.test('a keeper carries out each batch by one request', async (t) => {
  const asked: (readonly FileOp[])[] = [];
  const keeper = {
    async files(ops: readonly FileOp[]) {
      asked.push(ops);
      return ops.map(() => ({ error: null, text: 'x' }));
    },
  };
  const task = function* (): Task<string> {
    yield [];
    yield [{ op: 'mkdir', path: '/a' }];
    const [mounts] = yield [{ op: 'mountinfo' }];
    return mounts?.text ?? '';
  };
  t.equal(await runInKeeper(keeper, task()), 'x');
  t.strictSame(asked, [[{ op: 'mkdir', path: '/a' }], [{ op: 'mountinfo' }]], 'an empty batch needs none');
  const gone = { files: () => Promise.reject(new Error('the keeper has ended')) };
  await t.rejects(runInKeeper(gone, task()), { message: 'the keeper has ended' });
  const refusing = { files: async () => [] };
  await t.rejects(runInKeeper(refusing, task()), { name: 'EnvironmentError', message: /0 of 1 operations/ });
});
