/**
 * What installers do to a site's files: whole files of ours, and blocks of lines in files of others. Everything is
 * checked before anything is written; each change is printed; what is in order already is left alone; what we do not know
 * is refused. A file or block of ours says so in a line with the hash of what we wrote, so that an edit is noticed.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
    if (present?.equals(Buffer.from(wanted)) && (statSync(path).mode & 0o777) === mode) return;
    if (present !== undefined && comment !== undefined && !isOurs(present.toString(), comment)) {
      if (settings) return this.#keep(path);
      throw unknown(path);
    }
    this.#steps.push([`${present === undefined ? 'write' : 'replace'} ${path}`, () => write(path, wanted, mode)]);
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
    const text = read(path)?.toString() ?? '';
    const found = findBlock(text, name);
    const wanted = marked(`${lines.join('\n')}\n# end of ${name}\n`, '#', `# begin of ${name}: `);
    if (found?.text === wanted) return;
    if (found !== undefined && !found.ours) throw unknown(`${path}, lines of ${name}`);
    const rest = found === undefined ? text : text.slice(0, found.at) + text.slice(found.at + found.text.length);
    const before = rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
    this.#steps.push([`add to ${path}: ${lines.join(' | ')}`, () => write(path, before + wanted, modeOf(path))]);
  }

  removeBlock(path, name) {
    const text = read(path)?.toString() ?? '';
    const found = findBlock(text, name);
    if (found === undefined) return;
    if (!found.ours) return this.#keep(`${path}, lines of ${name}`);
    const rest = text.slice(0, found.at) + text.slice(found.at + found.text.length);
    this.#steps.push([`take the lines of ${name} out of ${path}`, () => write(path, rest, modeOf(path))]);
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

function modeOf(path) {
  return existsSync(path) ? statSync(path).mode & 0o777 : 0o644;
}

/** In one step: slurmd may read it now. */
function write(path, content, mode) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, content);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}
