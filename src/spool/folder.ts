import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsPath } from '../bytes.js';
import { EnvironmentError, isEnvironmentError } from '../errors.js';

/**
 * A user's directory with spool files, `<spool-dir>/<uid>/<box>.<number>.spool`. Only its user may enter it (0700), so
 * nobody else can plant or swap anything in it. It stays open, and its files are reached through its descriptor
 * (proc_pid_fd(5)), so that no part of the path is looked up twice.
 *
 * Everything about the spool happens in Node's thread pool: a disk that hangs blocks a thread there, and no box.
 */
export interface Folder extends AsyncDisposable {
  /** Path of the directory, for log messages. */
  readonly path: string;
  readonly uid: number;
  readonly fd: number;
  /** Path of a file in the directory, through its descriptor. */
  at(name: string): string;
  /** Path of a file in the directory, for log messages. */
  shown(name: string): string;
  /** Sorted names with this suffix, without names that no box gives. @throws EnvironmentError if there are too many */
  names(suffix: string): Promise<string[]>;
}

export const SPOOLED = '.spool';
/** Suffix of a file that was set aside because of damaged or refused records. */
export const BAD = '.bad';
export const UNFINISHED = '.tmp';

/** Most files per user; sorting more would take too long. */
const ENTRIES_MAX = 100_000;
/** Leaves room for another suffix. */
const NAME = /^[\w.-]{1,200}$/;

/** The box whose messages a file holds. The files of a box are numbered in the order of their messages. */
export function boxOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

/**
 * Opens the directory of one user.
 * @param create whether to make missing directories
 * @returns undefined if it does not exist
 * @throws EnvironmentError if it is not safe, or cannot be made or read
 */
export async function openFolder(spoolDir: string, uid: number, create: boolean): Promise<Folder | undefined> {
  const path = `${spoolDir}/${uid}`;
  try {
    if (create) await makeAll(spoolDir);
    await using parent = await openDirectory(spoolDir, 0);
    checkParent(spoolDir, await parent.stat());
    const inParent = `/proc/self/fd/${parent.fd}/${uid}`;
    if (create) await makeOwn(inParent);
    const own = await openDirectory(inParent, constants.O_NOFOLLOW);
    try {
      checkOwn(path, uid, await own.stat());
    } catch (error) {
      await own.close();
      throw error;
    }
    return folderOf(path, uid, own);
  } catch (error) {
    if (isEnvironmentError(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (!create && code === 'ENOENT') return undefined;
    throw new EnvironmentError(`spool ${path}: ${reason(code) ?? message}`, { cause: error });
  }
}

/** Ids of the users with a directory in the spool; empty if the spool does not exist. @throws EnvironmentError */
export async function spoolOwners(spoolDir: string): Promise<number[]> {
  try {
    return (await readdir(fsPath(spoolDir)))
      .filter((name) => /^\d{1,10}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new EnvironmentError(`spool ${spoolDir}: ${reason(code) ?? message}`, { cause: error });
  }
}

function folderOf(path: string, uid: number, handle: FileHandle): Folder {
  const at = (name: string) => `/proc/self/fd/${handle.fd}/${name}`;
  return {
    path,
    uid,
    fd: handle.fd,
    at,
    shown: (name) => `${path}/${name}`,
    names: (suffix) => namesIn(at('.'), path, suffix),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function namesIn(directory: string, path: string, suffix: string): Promise<string[]> {
  const names: string[] = [];
  let entries = 0;
  for await (const { name } of await opendir(directory, { bufferSize: 256 })) {
    if (++entries > ENTRIES_MAX) {
      throw new EnvironmentError(`spool ${path}: more than ${ENTRIES_MAX} files: remove those that no box has made`);
    }
    if (name.endsWith(suffix) && NAME.test(name)) names.push(name);
  }
  return names.sort();
}

function openDirectory(path: string, more: number): Promise<FileHandle> {
  return open(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY | more);
}

/**
 * Node's recursive mkdir never returns if a parent exists but answers ENOENT, as the directories of automounters do.
 */
async function makeAll(path: string): Promise<void> {
  try {
    await makeOwn(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    await makeAll(parent);
    await makeOwn(path);
  }
}

async function makeOwn(path: string): Promise<void> {
  try {
    await mkdir(fsPath(path), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Somebody who may rename entries of the spool could substitute another user's directory for ours. */
function checkParent(path: string, { uid, mode }: Stats): void {
  const othersWrite = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  if (othersWrite || (uid !== 0 && uid !== process.geteuid?.())) {
    throw new EnvironmentError(
      `spool ${path}: others could replace its entries; it must belong to root or to this user, and must have the sticky bit if others may write to it: chmod 1777 ${path}`,
    );
  }
}

function checkOwn(path: string, wanted: number, { uid, mode }: Stats): void {
  if (uid === wanted && (mode & 0o077) === 0) return;
  throw new EnvironmentError(
    `spool ${path}: it belongs to uid ${uid} with mode 0${(mode & 0o7777).toString(8)}; expected uid ${wanted} and mode 0700: remove it`,
  );
}

function reason(code: string | undefined): string | undefined {
  switch (code) {
    case 'EEXIST':
    case 'ELOOP':
    case 'ENOTDIR':
      return 'it is not a directory: remove it';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied: make the spool directory with mode 1777, or use one of your own';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space left on the device';
    case 'EROFS':
      return 'the file system is read-only: use another directory';
    default:
      return undefined;
  }
}
