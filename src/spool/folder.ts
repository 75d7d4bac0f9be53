import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsPath } from '../bytes.js';
import { EnvironmentError, isEnvironmentError } from '../errors.js';

/**
 * Where spool files lie: `<spool-dir>/<uid>/<box>.<number>.spool`. The directory of a user belongs to that user alone
 * (0700), so nobody else can plant or swap anything in it. It is held open, and files in it are reached through its
 * descriptor (proc_pid_fd(5)): no part of the path is looked up twice.
 *
 * Everything about the spool is done in Node's thread pool: a disk that hangs holds up a thread there, and no box.
 */
export interface Folder extends AsyncDisposable {
  /** For messages. */
  readonly path: string;
  readonly uid: number;
  readonly fd: number;
  /** Path of a file in it. */
  at(name: string): string;
  /** The same, for messages. */
  shown(name: string): string;
  /** Names that end with the suffix, in order; such as no box gives are left out. @throws EnvironmentError for too many */
  names(suffix: string): Promise<string[]>;
}

export const SPOOLED = '.spool';
/** Set aside: has records that were broken or refused. */
export const BAD = '.bad';
export const UNFINISHED = '.tmp';

/** Of the files of a user: more cannot be put in order in a moment. */
const ENTRIES_MAX = 100_000;
/** Short enough for a suffix more. */
const NAME = /^[\w.-]{1,200}$/;

/** The box that a file is of; its files are numbered in the order of what is in them. */
export function boxOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

/**
 * The directory of one user.
 * @param create makes what is missing
 * @returns undefined where there is none
 * @throws EnvironmentError where it is not safe, or cannot be made or read
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

/** User ids that have a directory there; empty where there is none. @throws EnvironmentError */
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
      throw new EnvironmentError(`spool ${path}: more than ${ENTRIES_MAX} files: remove what no box has made`);
    }
    if (name.endsWith(suffix) && NAME.test(name)) names.push(name);
  }
  return names.sort();
}

function openDirectory(path: string, more: number): Promise<FileHandle> {
  return open(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY | more);
}

/** Node's own recursive mkdir never returns where a parent exists and refuses with ENOENT, as automounters do. */
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

/** Who may rename what is in it could give us a directory of another's. */
function checkParent(path: string, { uid, mode }: Stats): void {
  const othersWrite = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  if (othersWrite || (uid !== 0 && uid !== process.geteuid?.())) {
    throw new EnvironmentError(
      `spool ${path}: others may replace what is in it; it must belong to root or to this user, and where others may write it must have the sticky bit: chmod 1777 ${path}`,
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
      return 'it is no directory: remove what is there';
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
