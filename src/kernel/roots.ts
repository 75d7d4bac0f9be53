import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';

/** Where the kernel's and the system's files are. Tests pass their own. */
export interface Roots {
  readonly proc: string;
  readonly etc: string;
  readonly sys: string;
  readonly run: string;
}

export const SYSTEM_ROOTS: Roots = { proc: '/proc', etc: '/etc', sys: '/sys', run: '/run' };

/** Reads a file; undefined if it is missing or may not be read, so that the fact is unknown. */
export function readText(path: string): string | undefined {
  // Most of these files are missing on most hosts, and an exception costs ten times as much as this check.
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Reads the first 4 KiB, '' if it fails: some kernels ask every CPU for its frequency when all of cpuinfo is read. */
export function readHead(path: string): string {
  let fd = -1;
  try {
    fd = openSync(path, 'r');
    const buffer = Buffer.allocUnsafe(4096);
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return '';
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}
