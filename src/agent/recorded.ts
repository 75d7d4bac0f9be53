import type { FileOp, FileResult } from 'cgroup-utils-native';
import type { Task } from '../kernel/task.js';

/**
 * How a box's groups were made: each operation and its result. The next agent replays it, which makes nothing but leads to the
 * same objects, whatever has become of the host's other groups.
 */
export type Recording = readonly (readonly [op: string, error: string | null, text: string])[];

/** Passes a task on and records what is carried out. */
export function* recorded<T>(task: Task<T>, into: Recording[number][]): Task<T> {
  const members = new Set<string>();
  let step = task.next();
  while (step.done !== true) {
    const ops = step.value;
    const results = yield ops;
    for (const [index, op] of ops.entries()) {
      const { error, text } = results[index] ?? MISSING;
      // Adopted processes are moved only once, and may be many.
      if (op.op === 'members') for (const pid of text.split('\n')) members.add(pid);
      if (op.op === 'members' || (op.op === 'write' && members.has(op.text))) continue;
      into.push([keyOf(op), error, op.op === 'mountinfo' ? groupsOf(text) : text]);
    }
    step = task.next(results);
  }
  return step.value;
}

/** Runs a task on what was recorded. An operation that was not recorded fails. */
export function replay<T>(task: Task<T>, recording: Recording): T {
  const known = new Map<string, FileResult[]>();
  for (const [key, error, text] of recording) {
    const results = known.get(key) ?? [];
    results.push({ error, text });
    known.set(key, results);
  }
  const answer = (op: FileOp): FileResult => {
    const results = known.get(keyOf(op)) ?? [];
    return (results.length > 1 ? results.shift() : results[0]) ?? MISSING;
  };
  let step = task.next();
  while (step.done !== true) step = task.next(step.value.map(answer));
  return step.value;
}

const MISSING: FileResult = { error: 'EIO', text: '' };

function keyOf(op: FileOp): string {
  return JSON.stringify(op);
}

/** Of the mounts only those of control groups are read, and the others are many. */
function groupsOf(mountinfo: string): string {
  return mountinfo
    .split('\n')
    .filter((line) => line.includes(' - cgroup'))
    .join('\n');
}
