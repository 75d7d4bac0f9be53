/** Files and control groups, without node:fs, which would have to be compiled before its first use. */

/**
 * Reads a small file of the kernel; null if it cannot be opened or read. Such a file has no size, so node:fs needs 64 kB
 * of memory and ten times as long.
 */
export function readText(path: string): string | null;
/** One write(2) to a file that exists. @returns null, or the errno's name if it fails */
export function writeText(path: string, text: string): string | null;
/** Content and metadata of one open file, without a second look-up of its name. */
export interface FileRead {
  readonly bytes: Buffer;
  /** Permission bits; inode(7). */
  readonly mode: number;
  readonly uid: number;
}
/** Reads a whole file, or a pipe up to its end. @returns the errno's name if that fails: EFBIG beyond `maxBytes` */
export function readFile(path: string, maxBytes: number): FileRead | string;
/** access(2), for the real user. @param writable checks W_OK instead of F_OK. @returns null, or the errno's name */
export function access(path: string, writable?: boolean): string | null;
/** mkdir(2). @returns null, or the errno's name if it fails */
export function makeDirectory(path: string): string | null;
/** rmdir(2). @returns null, or the errno's name if it fails */
export function removeDirectory(path: string): string | null;
/** Removes a control group with every group below it, at any depth. @returns null, or the errno's name if it is left */
export function removeGroups(path: string): string | null;
/**
 * flock(2), exclusive, without waiting. The lock ends with the last copy of the descriptor.
 * @returns false if another process holds the lock
 * @throws Error with code, errno, syscall
 */
export function lockFile(fd: number): boolean;

/**
 * Small files of the kernel that are read again and again. Each stays open after its first read, until the object is garbage
 * collected. That takes a fifth of the time of opening it anew, and a tenth of node:fs. An open file does not keep its control
 * group alive.
 */
export class TextFiles {
  constructor(paths: readonly string[]);
  /** The current texts; null for each file that cannot be opened or read. */
  read(): (string | null)[];
  /** Closes the files until the next `read`. */
  close(): void;
}
