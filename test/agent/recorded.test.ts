import type { FileOp, FileResult } from 'cgroup-utils-native';
import t from 'tap';
import { type Recording, recorded, replay } from '../../src/agent/recorded.js';
import { makeDirectories, read, readProc, type Task, tryWrite } from '../../src/kernel/task.js';

/** Carries out a task on a host whose files are what the test says. */
function carryOut<T>(task: Task<T>, answer: (op: FileOp) => FileResult): T {
  let step = task.next();
  while (step.done !== true) step = task.next(step.value.map(answer));
  return step.value;
}

function* make(): Task<unknown[]> {
  const mounts = yield* readProc('mountinfo', null);
  const before = yield* read('/g/max');
  const [code] = yield* makeDirectories(['/g/box']);
  const refusal = yield* tryWrite('/g/max', '5');
  const after = yield* read('/g/max');
  return [mounts.split('\n').length, before, code, refusal, after];
}

t.test('a recording leads to the same result, and nothing is carried out', async (t) => {
  let limit = 'max';
  const recording: Recording[number][] = [];
  const first = carryOut(recorded(make(), recording), (op) => {
    if (op.op === 'mountinfo') return { error: null, text: 'a / - cgroup x\nb / - ext4 y' };
    if (op.op === 'write') limit = op.text;
    return { error: op.op === 'mkdir' ? 'EEXIST' : null, text: op.op === 'read' ? `${limit}\n` : '' };
  });
  t.strictSame(first, [2, 'max', 'EEXIST', null, '5']);
  const again = replay(make(), JSON.parse(JSON.stringify(recording)));
  t.strictSame(again, [1, 'max', 'EEXIST', null, '5'], 'of the mounts only those of groups are kept');
  t.notMatch(JSON.stringify(recording), 'ext4');
});

t.test('what was not recorded fails, as on a host without it', async (t) => {
  t.strictSame(replay(make(), []), [1, null, 'EIO', 'write "5" to /g/max: EIO', null]);
});

t.test('a task that throws throws again', async (t) => {
  function* failing(): Task<never> {
    yield* read('/g/max');
    throw new Error('no');
  }
  const recording: Recording[number][] = [];
  t.throws(() => carryOut(recorded(failing(), recording), () => ({ error: null, text: '' })), /no/);
  t.equal(recording.length, 1);
  t.throws(() => replay(failing(), recording), /no/);
});
