/** Lays the files of a package into a folder, with modes and times that depend on nothing but their contents. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/**
 * @param {object} options
 * @param {string} options.root of the checkout
 * @param {string} options.made folder with the made files
 * @param {string} options.target an empty folder
 * @param {import('./contents.mjs').Row[]} options.rows
 * @returns {string[]} the configuration files, as absolute paths of the installed system
 * @throws Error if a row names no file
 */
export function stage({ root, made, target, rows }) {
  const configuration = [];
  for (const row of rows) {
    if (row.link !== undefined) {
      makeParent(join(target, row.to));
      symlinkSync(row.link, join(target, row.to));
      continue;
    }
    const found = filesOf(row, root, made);
    if (found.length === 0) throw new Error(`package ${row.to}: ${row.from} is missing; run: npm run build`);
    for (const { path, name } of found) {
      const to = row.to.endsWith('/') ? join(row.to, name) : row.to;
      lay(path, join(target, to), row);
      if (row.config) configuration.push(to);
    }
  }
  return configuration;
}

function filesOf({ from, except = [] }, root, made) {
  const path = from.startsWith('made/') ? join(made, from.slice('made/'.length)) : join(root, from);
  if (!from.includes('*') && !from.endsWith('/')) return existsSync(path) ? [{ path, name: basename(path) }] : [];
  const folder = from.endsWith('/') ? path : dirname(path);
  if (!existsSync(folder)) return [];
  const pattern = from.endsWith('/')
    ? undefined
    : new RegExp(`^${basename(from).replaceAll('.', '\\.').replace('*', '.*')}$`);
  const names = readdirSync(folder, { recursive: pattern === undefined })
    .map(String)
    .sort();
  return names
    .filter((name) => pattern?.test(name) ?? true)
    .filter((name) => statSync(join(folder, name)).isFile())
    .filter((name) => !except.some((one) => `${from.replace(/[^/]*$/, '')}${name}`.startsWith(one)))
    .map((name) => ({ path: join(folder, name), name }));
}

function lay(path, to, { mode, edit, gzip }) {
  makeParent(to);
  if (gzip) return write(`${to}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  if (edit === undefined) copyFileSync(path, to);
  else writeFileSync(to, edit(readFileSync(path, 'utf8')));
  chmodSync(to, mode ?? (isProgram(path) ? 0o755 : 0o644));
}

/** Executable in the checkout, or a script that names its interpreter. */
function isProgram(path) {
  return (statSync(path).mode & 0o100) !== 0 || readFileSync(path).subarray(0, 2).toString() === '#!';
}

/** Whatever the umask. */
function makeParent(path) {
  const missing = [];
  for (let folder = dirname(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    mkdirSync(folder);
    chmodSync(folder, 0o755);
  }
}

/** Writes a file with mode and parents. */
export function write(path, text, mode = 0o644) {
  makeParent(path);
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** Gives everything below a folder, and the folder, one time. @param {number} epochSec */
export function setTimes(folder, epochSec) {
  for (const name of readdirSync(folder, { recursive: true }))
    lutimesSync(join(folder, String(name)), epochSec, epochSec);
  lutimesSync(folder, epochSec, epochSec);
}

/** Everything below a folder that is not a folder, sorted, as paths that begin with `/`. */
export function listFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length))
    .sort();
}

/** The target of a symbolic link, or undefined. */
export function linkOf(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // EINVAL: it is a file
  }
}
