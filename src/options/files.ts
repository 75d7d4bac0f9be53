import { readFile } from 'cgroup-utils-native';
import { SpecError } from '../errors.js';

/** Content and attributes of a file that was opened once, so that both belong to the same file. */
export interface FileContent {
  readonly text: string;
  /** Permission bits; inode(7). */
  readonly mode: number;
  readonly uid: number;
}

/** Access to the files that options name. Tests pass a fake. */
export interface Files {
  /** The effective user id, which may own a file with a secret. */
  readonly uid: number;
  /** @param path `~/` is the user's home. @returns the errno's name if it cannot be read; EFBIG if it is over 1 MiB */
  read(path: string): FileContent | string;
}

const FILE_MAX_BYTES = 1024 * 1024;

/** The real file system. */
export function systemFiles(): Files {
  return { uid: process.geteuid?.() ?? -1, read: readSystemFile };
}

function readSystemFile(path: string): FileContent | string {
  const file = readFile(atHome(path), FILE_MAX_BYTES);
  if (typeof file === 'string') return file;
  const { bytes, mode, uid } = file;
  return { text: bytes.toString('utf8').replace(/^\uFEFF/, ''), mode, uid };
}

/** Expands `~/` to the user's home, because no shell expands the paths in a site's config file or plugin. */
export function atHome(path: string): string {
  const home = process.env['HOME'] ?? '';
  return path.startsWith('~/') && home !== '' ? home + path.slice(1) : path;
}

/** Reads a file that holds a secret. @throws SpecError also if others may access it, or it belongs to another user */
export function readSecret(files: Files, path: string, origin: string): string {
  const { text, mode, uid } = readNamed(files, path, origin);
  if (uid !== files.uid && uid !== 0) {
    throw new SpecError(
      `${origin}: ${path} belongs to another user (uid ${uid}): use a file of your own with mode 0600`,
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new SpecError(
      `${origin}: ${path} has mode 0${mode.toString(8)}, so others may access its secret; run: chmod 600 ${shellQuote(path)}`,
    );
  }
  return text;
}

/** Leaves `~/` outside the quotes, where the shell expands it. */
function shellQuote(path: string): string {
  const [, home = '', rest = ''] = /^(~\/)?(.*)$/s.exec(path) ?? [];
  return home + (/^[\w./-]+$/.test(rest) ? rest : `'${rest.replaceAll("'", "'\\''")}'`);
}

/** Reads a file that an option named. @throws SpecError that names `origin` and the reason */
export function readNamed(files: Files, path: string, origin: string): FileContent {
  const file = files.read(path);
  if (typeof file !== 'string') return file;
  throw new SpecError(
    file === 'EFBIG'
      ? `${origin}: ${path} is over 1 MiB: expected a configuration file`
      : `${origin}: read ${path}: ${file}; give the path of a file that this user may read`,
  );
}
