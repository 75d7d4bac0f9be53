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
 * One operation on a file of the kernel. `exists` and `writable` are access(2) for the real user. `processes` lists a
 * group and the groups below it, one pid per line. `mountinfo`, `cgroup` and `status` read files of /proc: of this process if `pid` is null.
 */
export type FileOp =
  | { readonly op: 'read' | 'mkdir' | 'rmdir' | 'exists' | 'writable'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string }
  /** Removes a group with every group below it. */
  | { readonly op: 'rmtree'; readonly path: string }
  | { readonly op: 'processes'; readonly path: string }
  /** The disk behind a block device, a file on one, or `major:minor`, as `major:minor`; ENXIO if there is none. */
  | { readonly op: 'disk'; readonly path: string }
  | { readonly op: 'mountinfo' }
  /** The processes of the box that a keeper holds, one pid per line. */
  | { readonly op: 'members' }
  | { readonly op: 'cgroup' | 'status'; readonly pid: number | null };
export interface FileResult {
  /** The errno's name, such as `EACCES`; null if the operation succeeded. */
  readonly error: string | null;
  /** What was read; else empty. */
  readonly text: string;
}

/** The operation `disk` in this process. @param sys @default /sys */
export function findDisk(target: string, sys?: string): FileResult;

/** The pids in a `cgroup.procs` and in the groups below it, one per line; null if it cannot be read. */
export function groupProcesses(procsFile: string): string | null;
