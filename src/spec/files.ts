import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SpecError } from '../errors.js';

/** A file as it was when it was opened: no second look-up of its name. */
export interface FileContent {
  readonly text: string;
  /** Permission bits; inode(7). */
  readonly mode: number;
  readonly uid: number;
}

/** The files that options name; tests give a fake. */
export interface Files {
  /** Effective user id: who may own a file with a secret. */
  readonly uid: number;
  /** @param path `~/` is the user's home. @throws Error with `code`, as node:fs does; SpecError where the file is over 1 MiB */
  read(path: string): FileContent;
}

const FILE_MAX_BYTES = 1024 * 1024;

/** The real file system. */
export function systemFiles(): Files {
  return { uid: process.geteuid?.() ?? -1, read: readFile };
}

function readFile(path: string): FileContent {
  const fd = openSync(atHome(path), 'r');
  try {
    const { mode, uid } = fstatSync(fd);
    return { text: readUpTo(fd, path), mode: mode & 0o7777, uid };
  } finally {
    closeSync(fd);
  }
}

/** `~/` is the user's home: no shell has said so for what a site's config file or plugin names. */
function atHome(path: string): string {
  const home = process.env['HOME'] ?? '';
  return path.startsWith('~/') && home !== '' ? home + path.slice(1) : path;
}

function readUpTo(fd: number, path: string): string {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(16 * 1024);
    const count = readSync(fd, chunk);
    if (count === 0)
      return Buffer.concat(chunks)
        .toString('utf8')
        .replace(/^\uFEFF/, '');
    chunks.push(chunk.subarray(0, count));
    total += count;
    if (total > FILE_MAX_BYTES) throw new SpecError(`${path} is over 1 MiB: expected a configuration file`);
  }
}

/** Reads a file that holds a secret. @throws SpecError also where others may read it, or it is another user's */
export function readSecret(files: Files, path: string, origin: string): string {
  const { text, mode, uid } = readNamed(files, path, origin);
  if (uid !== files.uid && uid !== 0) {
    throw new SpecError(
      `${origin}: ${path} belongs to another user (uid ${uid}): use a file of your own with mode 0600`,
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new SpecError(
      `${origin}: ${path} has mode 0${mode.toString(8)}, so others may reach its secret; run: chmod 600 ${shellQuote(path)}`,
    );
  }
  return text;
}

/** Between quotes `~/` would be a name like others. */
function shellQuote(path: string): string {
  const [, home = '', rest = ''] = /^(~\/)?(.*)$/s.exec(path) ?? [];
  return home + (/^[\w./-]+$/.test(rest) ? rest : `'${rest.replaceAll("'", "'\\''")}'`);
}

/** Reads a file that an option named. @throws SpecError that names `origin` and the reason */
export function readNamed(files: Files, path: string, origin: string): FileContent {
  try {
    return files.read(path);
  } catch (cause) {
    if (cause instanceof SpecError) throw new SpecError(`${origin}: ${cause.message}`, { cause });
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new SpecError(
      `${origin}: read ${path}: ${code ?? message}; give the path of a file that this user may read`,
      { cause },
    );
  }
}
