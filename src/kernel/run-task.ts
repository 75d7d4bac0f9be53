import {
  access,
  type FileOp,
  type FileResult,
  findDisk,
  groupProcesses,
  type Keeper,
  makeDirectory,
  processDirectory,
  readText,
  removeDirectory,
  removeGroups,
  writeText,
} from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import type { Task, TaskRunner } from './task.js';

/** Carries out a task in this process, at once. @throws what the task throws */
export function runHere<T>(task: Task<T>): T {
  let step = task.next();
  while (step.done !== true) step = task.next(step.value.map(actHere));
  return step.value;
}

/** `runHere` for callers that can wait. The task ends before this returns. */
export const inThisProcess: TaskRunner = async (task) => runHere(task);

/** Carries out a task through a keeper. Rejects with what the task throws, or if the keeper has gone. */
export async function runInKeeper<T>(keeper: Pick<Keeper, 'files'>, task: Task<T>): Promise<T> {
  let step = task.next();
  while (step.done !== true) {
    const ops = step.value;
    const results = ops.length === 0 ? [] : await keeper.files(ops);
    if (results.length !== ops.length)
      throw new EnvironmentError(`the keeper has carried out ${results.length} of ${ops.length} operations`);
    step = task.next(results);
  }
  return step.value;
}

function actHere(op: FileOp): FileResult {
  switch (op.op) {
    case 'read':
      return found(readText(op.path));
    case 'write':
      return done(writeText(op.path, op.text));
    case 'mkdir':
      return done(makeDirectory(op.path));
    case 'rmdir':
      return done(removeDirectory(op.path));
    case 'rmtree':
      return done(removeGroups(op.path));
    case 'exists':
      return done(access(op.path));
    case 'writable':
      return done(access(op.path, true));
    case 'members':
      return found(null); // only a keeper knows them
    case 'processes':
      return found(groupProcesses(op.path));
    case 'disk':
      return findDisk(op.path);
    case 'mountinfo':
      return found(readText('/proc/self/mountinfo'));
    case 'cgroup':
    case 'status':
      return found(readText(`${op.pid === null ? '/proc/self' : processDirectory(op.pid)}/${op.op}`));
  }
}

/** Nobody asks why a file of the kernel cannot be read. */
function found(text: string | null): FileResult {
  return text === null ? { error: 'ENOENT', text: '' } : { error: null, text };
}

function done(error: string | null): FileResult {
  return { error, text: '' };
}
