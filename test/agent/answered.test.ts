import type { FileOp, FileResult } from 'cgroup-utils-native';
import t from 'tap';
import { answered } from '../../src/agent/answered.js';
import { read, readProc, type Task } from '../../src/kernel/task.js';

/** Carries out a task, and tells which operations were asked for. */
function carryOut<T>(task: Task<T>) {
  const asked: string[] = [];
  const answer = (op: FileOp): FileResult => {
    asked.push(op.op);
    return { error: null, text: `from the keeper: ${op.op}` };
  };
  let step = task.next();
  while (step.done !== true) step = task.next(step.value.map(answer));
  return { asked, result: step.value };
}

function* look(): Task<readonly string[]> {
  const [mounts, groups] = yield [{ op: 'mountinfo' }, { op: 'cgroup', pid: null }];
  const adopted = yield* readProc('cgroup', 7);
  return [mounts?.text ?? '', groups?.text ?? '', adopted, (yield* read('/g/max')) ?? ''];
}

t.test('what the keeper has told is not asked for again', async (t) => {
  const { asked, result } = carryOut(answered(look(), { mounts: 'm - cgroup', groups: '0::/g' }));
  t.strictSame(asked, ['cgroup', 'read'], 'the groups of another process are');
  t.strictSame(result, ['m - cgroup', '0::/g', 'from the keeper: cgroup', 'from the keeper: read']);
});

t.test('a keeper that has told nothing is asked', async (t) => {
  const { asked, result } = carryOut(answered(look(), { mounts: '', groups: '' }));
  t.strictSame(asked, ['mountinfo', 'cgroup', 'cgroup', 'read']);
  t.match(result[0], /from the keeper/);
});

t.test('a batch of which only a part is known is asked as a whole', async (t) => {
  const { asked } = carryOut(answered(look(), { mounts: 'm - cgroup', groups: '' }));
  t.strictSame(asked, ['mountinfo', 'cgroup', 'cgroup', 'read']);
});
