/**
 * The changes that installers make to a site's files: whole files of ours, and blocks of lines in the site's own files.
 * Everything is checked before anything is written, and each change is printed. Files that are already right are left
 * alone, and files that we do not know are refused. Our files and blocks are marked with a hash of their content, so that an
 * edit is noticed.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

const MARK = 'installed by proc_box,';

export class Refused extends Error {}

/** Whether `--called` names the file, as in `--called Prolog,job_submit.lua`: the site's own file then calls ours. */
export function isCalled({ called }, name) {
  return called
    .split(',')
    .map((word) => word.trim().toLowerCase())
    .includes(name.toLowerCase());
}

export class Changes {
  #say;
  #steps = [];

  /** @param {(line: string) => void} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * Writes a file of ours.
   * @param {{ comment?: string, mode?: number, settings?: boolean }} [options] `comment` begins a comment line. A binary
   *   file has none, and any file of its name is ours. `settings`: the site may edit the file, which is then kept
   */
  file(path, content, { comment, mode = 0o644, settings = false } = {}) {
    const wanted = comment === undefined ? content : marked(content, comment);
    const present = read(path);
    targetOf(path);
    if (present?.equals(Buffer.from(wanted)) && (statSync(path).mode & 0o777) === mode) return;
    if (present !== undefined && comment !== undefined && !isOurs(present.toString(), comment)) {
      if (settings) return this.#keep(path);
      throw unknown(path);
    }
    this.#steps.push([`${present === undefined ? 'write' : 'replace'} ${path}`, () => writeOurs(path, wanted, mode)]);
  }

  /** Removes a file of ours, unless the site has edited it. */
  removeFile(path, { comment } = {}) {
    const present = read(path);
    if (present === undefined) return;
    if (comment !== undefined && !isOurs(present.toString(), comment)) return this.#keep(path);
    this.#steps.push([`remove ${path}`, () => rmSync(path)]);
  }

  /** Adds our lines at the end of a site's file, which is made if it does not exist. */
  block(path, name, lines) {
    const text = readBytes(path);
    targetOf(path);
    const found = findBlock(text, name);
    const wanted = marked(`${toBytes(lines.join('\n'))}\n# end of ${name}\n`, '#', `# begin of ${name}: `);
    if (found?.text === wanted) return;
    if (found !== undefined && !found.ours) throw unknown(`${path}, lines of ${name}`);
    const rest = found === undefined ? text : text.slice(0, found.at) + text.slice(found.at + found.text.length);
    const before = rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
    this.#steps.push([`add to ${path}: ${lines.join(' | ')}`, () => writeTheirs(path, before + wanted)]);
  }

  removeBlock(path, name) {
    const text = readBytes(path);
    const found = findBlock(text, name);
    if (found === undefined) return;
    if (!found.ours) return this.#keep(`${path}, lines of ${name}`);
    const rest = text.slice(0, found.at) + text.slice(found.at + found.text.length);
    this.#steps.push([`remove the lines of ${name} from ${path}`, () => writeTheirs(path, rest)]);
  }

  /** Whether any step has been added. */
  get any() {
    return this.#steps.length > 0;
  }

  /** @returns {boolean} whether there were any steps */
  apply({ dryRun = false } = {}) {
    for (const [what, act] of this.#steps) {
      this.#say(`${dryRun ? 'would ' : ''}${what}`);
      if (!dryRun) act();
    }
    return this.#steps.length > 0;
  }

  #keep(path) {
    this.#say(`keep ${path}: it has been changed here`);
  }
}

function unknown(what) {
  return new Refused(
    `${what}: not as proc_box has written it, so it stays; move it away, or follow docs/slurm.md by hand`,
  );
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The mark follows the `#!` line, if the file has one. */
function marked(text, comment, begin = `${comment} `) {
  const [, first = '', rest = ''] = /^(#![^\n]*\n)?([\s\S]*)$/.exec(text);
  return `${first}${begin}${MARK} ${hashOf(first + rest)}\n${rest}`;
}

function isOurs(text, comment) {
  const match = new RegExp(`^(#![^\\n]*\\n)?${comment} ${MARK} ([0-9a-f]{16})\\n([\\s\\S]*)$`).exec(text);
  return match !== null && hashOf((match[1] ?? '') + match[3]) === match[2];
}

function findBlock(text, name) {
  const match = new RegExp(`^# begin of ${name}: ${MARK} ([0-9a-f]{16})\\n([\\s\\S]*?# end of ${name}\\n)`, 'm').exec(
    text,
  );
  if (match === null) return undefined;
  return { at: match.index, text: match[0], ours: hashOf(match[2]) === match[1] };
}

function read(path) {
  return existsSync(path) ? readFileSync(path) : undefined;
}

/** What others have written in whatever encoding: a character for each byte. */
function readBytes(path) {
  return read(path)?.toString('latin1') ?? '';
}

function toBytes(text) {
  return Buffer.from(text).toString('latin1');
}

/**
 * The target of a symbolic link, so that the link itself stays in place.
 * @throws Refused if the target does not exist
 */
function targetOf(path) {
  if (existsSync(path)) return realpathSync(path);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return path;
  throw new Refused(`${path} is a link to a file that does not exist: make that file, or remove the link`);
}

/** Our folders are readable for everyone, whatever the installing user's umask. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
  chmodSync(folder, 0o755);
}

/** Replaces the file in one step, because slurmd may read it at any moment. */
function writeOurs(path, content, mode) {
  makeFolder(dirname(path));
  const target = targetOf(path);
  const draft = draftOf(target);
  writeFileSync(draft, content, { flag: 'wx' });
  chmodSync(draft, mode);
  renameSync(draft, target);
}

/** Replaces a site's file by a changed copy, in one step. The file keeps its owner, mode, ACL and SELinux context. */
function writeTheirs(path, text) {
  const content = Buffer.from(text, 'latin1');
  if (!existsSync(path)) return writeOurs(path, content, 0o644);
  const target = targetOf(path);
  // The file has other names, which must keep referring to it.
  if (statSync(target).nlink > 1) return writeFileSync(target, content);
  const draft = draftOf(target);
  try {
    copyWithAttributes(target, draft);
    writeFileSync(draft, content, { flag: 'r+' });
    truncateSync(draft, content.length);
    renameSync(draft, target);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @throws Error with `syscall`, as Node's own errors have */
function copyWithAttributes(from, to) {
  const { error, status, stderr } = spawnSync('cp', ['--preserve=all', '--no-target-directory', '--', from, to], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  });
  const fail = (message) => {
    throw Object.assign(new Error(message), { syscall: 'copy' });
  };
  if (status !== 0) fail(`copy ${from} to ${to}: ${(error?.message ?? stderr).trim()}`);
  const [theirs, ours] = [statSync(from), statSync(to)];
  if (theirs.uid === ours.uid && theirs.gid === ours.gid) return;
  fail(`${from} belongs to another user, and a changed copy would not: run this as root`);
}

/** A random name, so that nobody can have placed a link there. */
function draftOf(path) {
  return `${path}.${randomBytes(6).toString('hex')}.new`;
}
