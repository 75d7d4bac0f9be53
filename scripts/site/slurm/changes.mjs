/**
 * What installers do to a site's files: whole files of ours, and blocks of lines in files of others. Everything is
 * checked before anything is written; each change is printed; what is in order already is left alone; what we do not know
 * is refused. A file or block of ours says so in a line with the hash of what we wrote, so that an edit is noticed.
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

/** `--called Prolog,job_submit.lua`: the site's own files call ours. */
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
   * A file of ours.
   * @param {{ comment?: string, mode?: number, settings?: boolean }} [options] `comment` begins a comment line; none for
   * a binary file, which only ours can have this name for. `settings`: the site edits it, and keeps it then
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

  /** Takes a file of ours away; one that the site has edited stays. */
  removeFile(path, { comment } = {}) {
    const present = read(path);
    if (present === undefined) return;
    if (comment !== undefined && !isOurs(present.toString(), comment)) return this.#keep(path);
    this.#steps.push([`remove ${path}`, () => rmSync(path)]);
  }

  /** Lines of ours at the end of a file of others, which is made where there is none. */
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
    this.#steps.push([`take the lines of ${name} out of ${path}`, () => writeTheirs(path, rest)]);
  }

  /** Whether there is something to do by now. */
  get any() {
    return this.#steps.length > 0;
  }

  /** @returns {boolean} whether anything was to be done */
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
    `${what}: not as proc_box has written it, so it stays; move it away, or do by hand what docs/slurm.md says`,
  );
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The mark comes after `#!`, where a file has that. */
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
 * The file that a link leads to: the link stays one.
 * @throws Refused where it leads to nothing
 */
function targetOf(path) {
  if (existsSync(path)) return realpathSync(path);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return path;
  throw new Refused(`${path} is a link to a file that does not exist: make that, or remove the link`);
}

/** Folders of ours are for everyone to read, whatever the umask of who installs. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
  chmodSync(folder, 0o755);
}

/** In one step: slurmd may read it now. */
function writeOurs(path, content, mode) {
  makeFolder(dirname(path));
  const target = targetOf(path);
  const draft = draftOf(target);
  writeFileSync(draft, content, { flag: 'wx' });
  chmodSync(draft, mode);
  renameSync(draft, target);
}

/** A file of the site's keeps its owner, mode, ACL and SELinux context: a changed copy takes its place, in one step. */
function writeTheirs(path, text) {
  const content = Buffer.from(text, 'latin1');
  if (!existsSync(path)) return writeOurs(path, content, 0o644);
  const target = targetOf(path);
  // It has other names, which are to lead to the same file.
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

/** @throws Error with `syscall`, as Node's own */
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
  fail(`${from} belongs to another user, and would not after a change: run this as root`);
}

/** A name that nobody has made a link of before. */
function draftOf(path) {
  return `${path}.${randomBytes(6).toString('hex')}.new`;
}
