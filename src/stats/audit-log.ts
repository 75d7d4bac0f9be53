import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fsPath } from '../bytes.js';
import { after, type Delay } from '../delay.js';
import type { Logger } from '../log.js';
import type { CommandEvent, EventHead } from '../model/event.js';
import { printableJson } from '../text.js';

/**
 * The file of `--audit-log`, with one line of JSON per command. It never delays the job: Node's thread pool writes the lines
 * in order, and a bounded number of lines may wait. Each line is one write(2) with O_APPEND, so that the boxes of a host can
 * share a file. The file is opened for each line, because it may be rotated at any time.
 */
export interface AuditLog {
  append(event: EventHead & CommandEvent): void;
  /** Waits until every line is written, but at most `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

const WAITING_MAX = 1_000;
/** The flags never follow a symbolic link and never wait for the reader of a FIFO. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function createAuditLog(path: string, log: Logger): AuditLog {
  let waiting = 0;
  let lost = 0;
  let broken = false;
  let warned = false;

  const warn = (problem: string) => {
    if (!warned)
      log.warn(
        `audit log ${path}: ${problem}; the job continues, but lines are lost (further losses are only counted)`,
      );
    warned = true;
  };
  const lose = (problem: string) => {
    lost++;
    warn(problem);
  };
  const write = async (line: string) => {
    try {
      await appendLine(path, broken ? `\n${line}` : line);
      broken = false;
    } catch (error) {
      if (error instanceof ShortWrite) broken = true;
      lose((error as Error).message);
    }
    waiting--;
  };
  // Open the file once at the start, so that a problem is reported before the first command.
  let tail: Promise<void> = openFile(path).then(
    (file) => file.close(),
    (error: Error) => warn(error.message),
  );
  return {
    append(event) {
      if (waiting >= WAITING_MAX) return lose('writing is too slow');
      waiting++;
      const line = `${printableJson(auditLine(event))}\n`;
      tail = tail.then(() => write(line));
    },
    async close(deadlineMs) {
      let late: Delay | undefined;
      await Promise.race([tail, new Promise<void>((resolve) => (late = after(deadlineMs, resolve)))]);
      late?.cancel();
      if (waiting > 0) log.warn(`audit log ${path}: ${waiting} lines were not written in time`);
      if (lost > 1) log.warn(`audit log ${path}: ${lost} lines were lost`);
    },
  };
}

/** The content of a line, with the names that the command's event uses (docs/messages.md). */
function auditLine({ time, identity, command, arguments: args, by, decision, answer }: EventHead & CommandEvent) {
  const { via: _via, message_id = null, user, key, signer } = by;
  return {
    time,
    box: identity.box,
    host: identity.host,
    job: identity.job,
    owner: identity.user,
    command,
    arguments: args,
    sender: { ...(user !== undefined && { user_id: user }), ...(key !== undefined && { key, signer }) },
    message_id,
    decision,
    outcome: answer.ok ? 'ok' : answer.error.code,
    ...(!answer.ok && { error: answer.error.message }),
  };
}

/** The disk was full in the middle of a line, so the next line has to begin with a newline. */
class ShortWrite extends Error {}

/** @throws Error that says why the line is missing or incomplete */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await openFile(path);
  try {
    const content = Buffer.from(line);
    const { bytesWritten } = await file.write(content, 0, content.length, null);
    if (bytesWritten < content.length) throw new ShortWrite('the disk is full');
  } catch (error) {
    throw inWords(error);
  } finally {
    await file.close();
  }
}

/** @throws Error that says why this file must not be written */
async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(fsPath(path), FLAGS, 0o600);
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.nlink > 1) throw new Error('it has several names (hard links)');
    const own = process.geteuid?.();
    if (stat.uid !== own && stat.uid !== 0) throw new Error(`it belongs to another user (uid ${stat.uid})`);
    return file;
  } catch (error) {
    await file?.close();
    throw inWords(error);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ELOOP: 'it is a symbolic link: give the path of the file itself',
  ENXIO: 'it is not a regular file',
  ENOENT: 'ENOENT: its folder does not exist',
  EACCES: 'EACCES: this user may not write there',
};

function inWords(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error : new Error(WORDS[code] ?? code, { cause: error });
}
