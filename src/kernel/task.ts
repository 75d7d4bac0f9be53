import type { FileOp, FileResult } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';

/**
 * Work with files of control groups that does not say who carries it out: this process, or a keeper on behalf of an agent
 * (src/kernel/run-task.ts). Each `yield` is one batch of operations, carried out in order. For a keeper each batch is a
 * round trip, so operations that do not depend on each other belong into one.
 */
export type Task<T> = Generator<readonly FileOp[], T, readonly FileResult[]>;

/** Carries out tasks, each as a whole. */
export type TaskRunner = <T>(task: Task<T>) => Promise<T>;

/** A task whose result is known. */
// biome-ignore lint/correctness/useYield: nothing remains to be done
export function* known<T>(result: T): Task<T> {
  return result;
}

const FAILED: FileResult = { error: 'EIO', text: '' };

/** Carries out one operation. */
export function* carryOut(op: FileOp): Task<FileResult> {
  return (yield [op])[0] ?? FAILED;
}

/** Carries out several tasks side by side: each batch holds the next operations of all of them. */
export function* together<T>(tasks: readonly Task<T>[]): Task<T[]> {
  const steps = tasks.map((task) => task.next());
  for (;;) {
    const open = steps.flatMap((step, index) => (step.done === true ? [] : [{ index, ops: step.value }]));
    if (open.length === 0) return steps.map((step) => step.value as T);
    const results = yield open.flatMap(({ ops }) => ops);
    let at = 0;
    for (const { index, ops } of open) {
      steps[index] = tasks[index]!.next(results.slice(at, at + ops.length));
      at += ops.length;
    }
  }
}

/** A text without its last newline; null if this kernel does not have the file or this user may not read it. */
function textOf({ error, text }: FileResult = FAILED): string | null {
  return error === null ? text.trimEnd() : null;
}

/** Reads files in one batch; null for each that cannot be read. */
export function* readAll(paths: readonly string[]): Task<(string | null)[]> {
  const results = yield paths.map((path) => ({ op: 'read', path }));
  return paths.map((_, index) => textOf(results[index]));
}

export function* read(path: string): Task<string | null> {
  return textOf(yield* carryOut({ op: 'read', path }));
}

/** Reads a file of /proc. @param pid null for the process that carries it out */
export function* readProc(op: 'mountinfo' | 'cgroup' | 'status', pid: number | null): Task<string> {
  return (yield* carryOut(op === 'mountinfo' ? { op } : { op, pid })).text;
}

/** A path and the text to write to it. */
export type Writing = readonly [path: string, text: string];

/**
 * Writes files in one batch, but never creates one, because a missing file is a missing feature.
 * @returns why the first that failed did, or null
 */
export function* tryWriteAll(writings: readonly Writing[]): Task<string | null> {
  const results = yield writings.map(([path, text]) => ({ op: 'write', path, text }));
  for (const [index, [path, text]] of writings.entries()) {
    const { error } = results[index] ?? FAILED;
    if (error !== null) return `write "${text}" to ${path}: ${error}`;
  }
  return null;
}

export function* tryWrite(path: string, text: string): Task<string | null> {
  return yield* tryWriteAll([[path, text]]);
}

/** Like tryWriteAll. @throws EnvironmentError such as `write "max" to .../pids.max: EACCES` */
export function* writeAll(writings: readonly Writing[]): Task<void> {
  const failure = yield* tryWriteAll(writings);
  if (failure !== null) throw new EnvironmentError(failure);
}

export function* write(path: string, text: string): Task<void> {
  yield* writeAll([[path, text]]);
}

/** Makes directories in one batch. @returns for each the errno's name, or null */
export function* makeDirectories(paths: readonly string[]): Task<(string | null)[]> {
  const results = yield paths.map((path) => ({ op: 'mkdir', path }));
  return paths.map((_, index) => (results[index] ?? FAILED).error);
}

/** Removes directories, best effort, because the keeper removes what is left. */
export function* removeDirectories(paths: readonly string[]): Task<void> {
  if (paths.length > 0) yield paths.map((path) => ({ op: 'rmdir', path }));
}

/** Lists the processes of the box; only a keeper can. */
export function* members(): Task<readonly number[]> {
  return (yield* carryOut({ op: 'members' })).text.split('\n').filter(Boolean).map(Number);
}

/** Lists the processes of a group and of the groups below it; empty if it cannot be read. @param path a `cgroup.procs` */
export function* processesIn(path: string): Task<readonly number[]> {
  return (yield* carryOut({ op: 'processes', path })).text.split('\n').filter(Boolean).map(Number);
}
