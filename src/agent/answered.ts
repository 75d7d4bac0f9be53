import type { FileOp, FileResult, KeeperEvent } from 'cgroup-utils-native';
import type { Task } from '../kernel/task.js';

type Origin = Pick<Extract<KeeperEvent, { type: 'origin' }>, 'mounts' | 'groups'>;

/** Answers what the keeper has told with `origin` already, which saves a round trip. Everything else is passed on. */
export function* answered<T>(task: Task<T>, { mounts, groups }: Origin): Task<T> {
  const answer = (op: FileOp): FileResult | null => {
    const text = op.op === 'mountinfo' ? mounts : op.op === 'cgroup' && op.pid === null ? groups : '';
    return text === '' ? null : { error: null, text };
  };
  let step = task.next();
  while (step.done !== true) {
    const answers = step.value.map(answer);
    const known = answers.filter((one) => one !== null);
    step = task.next(known.length === answers.length ? known : yield step.value);
  }
  return step.value;
}
