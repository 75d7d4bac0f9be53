import type { FileOp, FileResult } from 'cgroup-utils-native';
import t from 'tap';
import {
  carryOut,
  known,
  makeDirectories,
  processesIn,
  read,
  readAll,
  readProc,
  removeDirectories,
  type Task,
  together,
  tryWriteAll,
  write,
} from '../../src/kernel/task.js';

/** Carries out a task on files of the test's own. Returns its batches, each as text. */
function carriedOut<T>(task: Task<T>, files: Record<string, string> = {}) {
  const batches: string[] = [];
  const answer = (op: FileOp): FileResult => {
    const path = 'path' in op ? op.path : op.op;
    const text = files[path];
    return text === undefined ? { error: 'ENOENT', text: '' } : { error: null, text };
  };
  let step = task.next();
  while (step.done !== true) {
    batches.push(step.value.map((op) => `${op.op} ${'path' in op ? op.path : ''}`.trim()).join(', '));
    step = task.next(step.value.map(answer));
  }
  return { batches, result: step.value };
}

t.test('texts come without their last newline, all of them in one batch', async (t) => {
  t.strictSame(carriedOut(readAll(['/a', '/b']), { '/a': '1 2\n' }), {
    batches: ['read /a, read /b'],
    result: ['1 2', null],
  });
  t.strictSame(carriedOut(read('/b'), { '/b': '' }).result, '');
  t.strictSame(carriedOut(readProc('status', null), { status: 'x\n' }).result, 'x\n');
  t.strictSame(carriedOut(processesIn('/p'), { '/p': '7\n8\n' }).result, [7, 8]);
  t.strictSame(carriedOut(processesIn('/none')).result, []);
});

t.test('the first write that failed is named', async (t) => {
  const both = tryWriteAll([
    ['/a', '1'],
    ['/b', 'max'],
  ]);
  t.strictSame(carriedOut(both, { '/a': '' }), {
    batches: ['write /a, write /b'],
    result: 'write "max" to /b: ENOENT',
  });
  t.throws(() => carriedOut(write('/b', 'x')), { name: 'EnvironmentError', message: 'write "x" to /b: ENOENT' });
});

t.test('directories are made and removed together', async (t) => {
  t.strictSame(carriedOut(makeDirectories(['/a', '/b']), { '/a': '' }).result, [null, 'ENOENT']);
  t.strictSame(carriedOut(removeDirectories([])).batches, []);
  t.strictSame(carriedOut(removeDirectories(['/a', '/b'])).batches, ['rmdir /a, rmdir /b']);
});

t.test('tasks that run together share their batches', async (t) => {
  const twice = function* (path: string): Task<string> {
    return `${yield* read(path)}${yield* read(`${path}2`)}`;
  };
  const files = { '/a': '1', '/a2': '2', '/b': '3' };
  t.strictSame(carriedOut(together([twice('/a'), known('none'), read('/b')] as Task<unknown>[]), files), {
    batches: ['read /a, read /b', 'read /a2'],
    result: ['12', 'none', '3'],
  });
  t.strictSame(carriedOut(together([])).result, []);
});

t.test('an operation without a result has failed', async (t) => {
  const task = carryOut({ op: 'mkdir', path: '/a' });
  task.next();
  t.match(task.next([]).value, { error: 'EIO' });
});
