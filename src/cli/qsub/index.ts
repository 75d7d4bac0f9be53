import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, SpecError } from '../../errors.js';
import { printable, redactUri } from '../../text.js';
import { shellOfDirectives } from './directives.js';
import { packWords, parseSubmission, type Submission } from './words.js';

/**
 * The program behind scripts/site/pbs/qsub-box: prints shell code that executes the real qsub. It replaces the job's
 * shell by a box shell (`-S`). A command that MoM executes directly (`-- command`) is prefixed with proc_box. The
 * script, stdin, name, directives and environment of the job stay as they are.
 */

/** Folder of the installed package; this file is in its dist/. */
const home = dirname(dirname(fileURLToPath(import.meta.url)));
const PROC_BOX = join(home, 'bin', 'proc_box');
const BOX_SHELL = join(home, 'scripts', 'site', 'pbs', 'box-shell');

const USAGE = `usage: qsub-box [options of proc_box] [options of qsub] [script | -- command arguments]

Submits a job that runs in a box. proc_box --help lists the options of proc_box; qsub gets everything else. See docs/pbs.md.
PROC_BOX_QSUB names the real qsub. PROC_BOX_SHELLS names a directory for box shells that all nodes see (default
~/.proc_box/shells).
`;

try {
  const [, , self = '', ...words] = process.argv;
  const asked = basename(self) === 'qsub-box' && (words[0] === '--help' || words[0] === '-help');
  process.stdout.write(asked ? `printf %s ${quote(USAGE)}\n` : submit(parseSubmission(words), findQsub(self)));
} catch (error) {
  // Even an unforeseen error gives only one line; without our output, the shell script submits nothing.
  process.stderr.write(`qsub-box: error: ${printable(redactUri(describeError(error, false)))}\n`);
  process.exitCode = 125;
}

function submit({ options, words, shell, script, command }: Submission, qsub: string): string {
  const given = options.flatMap(({ name, text, isPath }) => [
    `--${name}=${isPath && text !== 'none' ? pathOf(name, text) : text}`,
  ]);
  if (command !== null) {
    const boxed = [...given, '--', ...words.slice(command)];
    // PBS drops empty arguments, and with a launch hook others lose their newlines and outer blanks.
    const plain = boxed.every((word) => word !== '' && word === word.trim() && !word.includes('\n'));
    return become(qsub, [...words.slice(0, command), PROC_BOX, ...(plain ? boxed : [`--argv=${packWords(boxed)}`])]);
  }
  if (words.some((word) => word === '--version')) return become(qsub, words);
  const directives = readDirectives(script);
  const inner = shell === null ? shellOfDirectives(directives.text, words) : shell.text;
  const path = boxShell(given, inner);
  const replaced =
    shell === null ? ['-S', path, ...words] : words.with(shell.at, words[shell.at]!.slice(0, shell.offset) + path);
  const feed =
    directives.file === null ? '' : `exec <${quote(directives.file)}\nrm -rf ${quote(dirname(directives.file))}\n`;
  return feed + become(qsub, replaced);
}

/**
 * An absolute path, because the job starts in another folder. Expands `~`, which a shell does not after `--uri-file=`.
 */
function pathOf(name: string, text: string): string {
  const [, user, rest = ''] = /^~([^/]*)(\/.*)?$/s.exec(text) ?? [];
  if (user === undefined) return resolve(text);
  if (user === '') return join(homedir(), rest);
  throw new SpecError(
    `--${name}=${text}: only a shell can look up the home of ${user}: write the whole path (for a file of that name: ./${text})`,
  );
}

/** Reads the script. One from stdin is also copied to a file, which qsub reads instead. */
function readDirectives(script: Submission['script']): { text: string; file: string | null } {
  if (script === null) return { text: '', file: null };
  if (script !== '-') {
    try {
      return { text: readFileSync(script, 'latin1'), file: null };
    } catch {
      return { text: '', file: null }; // qsub will report the error
    }
  }
  const bytes = readFileSync(0);
  const file = join(mkdtempSync(join(tmpdir(), 'qsub-box-')), 'script');
  writeFileSync(file, bytes, { mode: 0o600 });
  return { text: bytes.toString('latin1'), file };
}

/**
 * The path of the box shell. Without options it is the installed one. With options it is a small file named after its
 * content, because MoM gives a shell no arguments.
 */
function boxShell(options: readonly string[], inner: string | null): string {
  if (options.length === 0 && inner === null) return BOX_SHELL;
  const words = [BOX_SHELL, ...(inner === null ? [] : ['--shell', inner]), ...options];
  const text = `#!/bin/sh\n# Made by qsub-box: the box shell of PBS jobs with these options. Queued jobs need it.\nexec ${words.map(quote).join(' ')}\n`;
  const folder = process.env['PROC_BOX_SHELLS'] ?? join(homedir(), '.proc_box', 'shells');
  const path = join(folder, createHash('sha256').update(text).digest('hex').slice(0, 16));
  if (/[\s,@]/.test(path)) {
    throw new SpecError(
      `qsub accepts no shell with blanks, commas or @ in its path: ${path}; set PROC_BOX_SHELLS to another directory`,
    );
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const draft = `${path}.${randomBytes(4).toString('hex')}`;
    writeFileSync(draft, text, { mode: 0o700, flag: 'wx' });
    chmodSync(draft, 0o700);
    renameSync(draft, path);
  } catch (cause) {
    throw new SpecError(
      `write ${path}: ${(cause as NodeJS.ErrnoException).code}; set PROC_BOX_SHELLS to a directory that you can write to and all nodes see`,
      { cause },
    );
  }
  return path;
}

function findQsub(self: string): string {
  const named = process.env['PROC_BOX_QSUB'];
  if (named !== undefined && named !== '') return named;
  const ours = realpathSync(join(home, 'scripts', 'site', 'pbs', 'qsub-box'));
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...installed()];
  for (const place of places) {
    const path = join(place === '' ? '.' : place, 'qsub');
    if (isProgram(path) && realpathSync(path) !== ours) return path;
  }
  throw new SpecError(`there is no qsub in PATH except ${self}; name the real one in PROC_BOX_QSUB`);
}

/** The bin folder below PBS_EXEC of /etc/pbs.conf. */
function installed(): string[] {
  try {
    const exec = /^\s*PBS_EXEC\s*=\s*(\S+)/m.exec(readFileSync('/etc/pbs.conf', 'latin1'))?.[1];
    return exec === undefined ? [] : [join(exec, 'bin')];
  } catch {
    return []; // PBS is not installed on this host
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // it does not exist, or we may not execute it
  }
}

function become(program: string, words: readonly string[]): string {
  return `exec ${[program, ...words].map(quote).join(' ')}\n`;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
