import { spawn } from 'node:child_process';
import { lstat, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Logger } from '../log.js';
import type { EventHead, Exited } from '../model/event.js';
import type { JobIdentity } from '../options/spec.js';
import { REPORT_NAMES } from '../options/values.js';
import type { Subject } from './subject.js';

/** Writes the file of `--report-file`. A bundle of its own, loaded at the end of a box with that option. */

/** Bound for writing, so that a file server that does not answer does not hold up the end. */
const WAIT_MS = 5_000;
const NAME_MAX_CHARACTERS = 128;

export interface Report {
  readonly report: EventHead & Exited;
  /** The value of the option. */
  readonly path: string;
  readonly subject: Subject;
  readonly log: Logger;
}

/** Writes the `exited` event, for people and programs. Never rejects: an error is logged as a warning. */
export async function writeReportFile({ report, path, subject, log }: Report): Promise<void> {
  const { home, folder, owner } = subject.files();
  const name = fillIn(path.startsWith('~/') && home ? home + path.slice(1) : path, report.identity);
  const file = resolve(folder, name);
  const text = `${JSON.stringify(report, null, 2)}\n`;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing was written within ${WAIT_MS / 1000} s`)), WAIT_MS);
  });
  try {
    const temporary = join(dirname(file), `.proc_box-${report.identity.box}`);
    const write = () => (owner === null ? replaceFile(file, temporary, text) : replaceAs(owner, file, temporary, text));
    const written = subject.writeReport === undefined ? write() : writeThere(subject.writeReport, path, report, text);
    await Promise.race([written, late]);
  } catch (error) {
    log.warn(`--report-file: the report is not in ${JSON.stringify(file)}: ${reason(error, file)}`);
  }
  clearTimeout(timer);
}

/**
 * Replaces `{job}` and the like by parts of the identity. A job chooses its own names, so each is confined to one
 * component of the path and cannot lead out of the folder.
 */
export function fillIn(path: string, identity: JobIdentity): string {
  return path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const known = REPORT_NAMES.find((one) => one === name);
    if (known === undefined) return whole;
    return (identity[known] ?? 'none')
      .slice(0, NAME_MAX_CHARACTERS)
      .replaceAll(/[/\p{Cc}]/gu, '_')
      .replace(/^\.+/, (dots) => '_'.repeat(dots.length));
  });
}

/** Has another process write the file, which fills in the placeholders itself. */
async function writeThere(
  write: NonNullable<Subject['writeReport']>,
  path: string,
  { identity }: Report['report'],
  text: string,
): Promise<void> {
  const placeholders = REPORT_NAMES.flatMap((name) => [name, (identity[name] ?? 'none').slice(0, NAME_MAX_CHARACTERS)]);
  const code = await write(path, placeholders, text);
  if (code !== undefined) throw Object.assign(new Error(code), { code });
}

/** Replaces the file atomically: readers see the old report or the whole new one. The umask gives its permissions. */
async function replaceFile(path: string, temporary: string, text: string): Promise<void> {
  const target = (await ifThere(realpath(path))) ?? path;
  const old = await ifThere(lstat(target));
  if (old !== null && !old.isFile() && !old.isSymbolicLink()) throw new Error('it exists, but is not a regular file');
  const beside = join(dirname(target), basename(temporary));
  await rm(beside, { force: true });
  try {
    const file = await open(beside, 'wx', 0o666);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** @returns null for ENOENT */
async function ifThere<Found>(found: Promise<Found>): Promise<Found | null> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const AS_OWNER = `target=$(readlink -f -- "$2") || target=$2
if [ -e "$target" ] && [ ! -f "$target" ]; then echo 'it exists, but is not a regular file' >&2; exit 1; fi
beside=$(dirname -- "$target")/$(basename -- "$1")
set -C
{ cat > "$beside" && mv -fT -- "$beside" "$target"; } || { rm -f -- "$beside"; exit 1; }`;

/**
 * Writes as another user, whose job root's supervisor has boxed, so that the kernel applies that user's permissions.
 */
function replaceAs(
  owner: { readonly uid: number; readonly gid: number },
  path: string,
  temporary: string,
  text: string,
): Promise<void> {
  return new Promise((done, fail) => {
    const env = { PATH: '/usr/bin:/bin' };
    const child = spawn('/bin/sh', ['-c', AS_OWNER, 'sh', temporary, path], { ...owner, cwd: '/', env, stdio: 'pipe' });
    let problem = '';
    child.stderr.on('data', (chunk: Buffer) => (problem = (problem + chunk.toString()).slice(0, 500)));
    child.on('error', fail);
    child.on('close', (status) => (status === 0 ? done() : fail(new Error(problem.trim() || `status ${status}`))));
    child.stdin.on('error', () => {}); // EPIPE: the shell has ended, and its stderr says why
    child.stdin.end(text);
  });
}

function reason(error: unknown, file: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const advice: Readonly<Record<string, string>> = {
    ENOENT: `folder ${JSON.stringify(dirname(file))} does not exist: make it before the job starts`,
    EACCES: `${JSON.stringify(dirname(file))} is not writable for this user`,
    ENOSPC: 'the disk is full',
    EDQUOT: "the user's quota is used up",
    EINVAL: 'it exists, but is not a regular file',
  };
  return (code !== undefined && advice[code]) || message.replaceAll(/\p{Cc}+/gu, ' ');
}
