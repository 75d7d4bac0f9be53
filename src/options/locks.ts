import { SpecError } from '../errors.js';
import { type Lock, readConfig, readSiteFile, type SiteFile } from './config-file.js';
import { type Files, readNamed } from './files.js';
import { type Given, naming } from './resolve.js';
import { OPTIONS, type Option, type OptionName } from './table.js';
import { parsePath } from './values.js';
import type { YamlLoader } from './yaml-document.js';

/**
 * Merges the config file and applies the locks of the site's file: `locked: control-auth, uri` in /etc/proc_box/config.yaml. A
 * locked option has the value of that file, or its default. No flag, variable or other file (`--config`) can change it.
 */

/** Options that form one setting: locking one of them locks all. */
const TOGETHER: readonly (readonly OptionName[])[] = [
  ['uri', 'uri-file'],
  ['rkey', 'multiRmtKey'],
  ['control-auth', 'control-rules', 'control-keys'],
];

const NOTHING: SiteFile = { given: [], locked: [] };

/**
 * @param given the options of command line and environment
 * @returns everything that was given, from the weakest source to the strongest
 * @throws SpecError for a config file that cannot be read, and for an option that is locked
 */
export function allOptions(
  given: readonly Given[],
  files: Files,
  loadYaml: YamlLoader,
  locks: 'kept' | 'ignored',
): readonly Given[] {
  const named = given.findLast(({ name }) => name === 'config');
  const skipsSite = locks === 'ignored' && named !== undefined;
  const site = skipsSite ? NOTHING : readSite(files, loadYaml);
  const config = named === undefined ? site.given : namedConfig(named, files, loadYaml);
  const all = [...config, ...given];
  if (locks === 'ignored' || site.locked.length === 0) return all;
  const locked = new Map(site.locked.flatMap((lock) => together(lock.name).map((name) => [name, lock] as const)));
  const free = all.filter((item) => !locked.has(item.name) || site.given.includes(item));
  for (const item of all) if (!free.includes(item)) mustAgree(item, site.given, locked.get(item.name)!);
  return [...site.given.filter(({ name }) => locked.has(name) && named !== undefined), ...free];
}

/**
 * Reads the site's file. Only a missing file locks nothing: if it cannot be read or parsed, its locks are unknown.
 * @throws SpecError
 */
function readSite(files: Files, loadYaml: YamlLoader): SiteFile {
  const path = OPTIONS.config.default;
  const file = files.read(path);
  if (typeof file !== 'string') return readSiteFile(path, file.text, loadYaml);
  if (file === 'ENOENT' || file === 'ENOTDIR') return NOTHING;
  const why = file === 'EFBIG' ? 'it is over 1 MiB' : file;
  throw new SpecError(
    `read ${path}: ${why}; it may lock options for every user, so proc_box cannot go on without it: ask the administrator to make it a readable file`,
  );
}

function namedConfig(named: Given, files: Files, loadYaml: YamlLoader): readonly Given[] {
  if (named.text === 'none') return [];
  const path = naming(named.origin, () => parsePath(named.text));
  const { text } = readNamed(files, path, named.origin);
  return path === OPTIONS.config.default ? readSiteFile(path, text, loadYaml).given : readConfig(path, text, loadYaml);
}

function together(name: OptionName): readonly OptionName[] {
  return TOGETHER.find((names) => names.includes(name)) ?? [name];
}

/** Accepts a value that agrees with the site's. @throws SpecError that names both places */
function mustAgree({ name, text, origin }: Given, site: readonly Given[], { origin: lock }: Lock): void {
  const option: Option = OPTIONS[name];
  const own = site.filter((item) => item.name === name).map((item) => item.text);
  const fixed = own.length > 0 ? own : option.default === '' ? [] : [option.default];
  const value = (texts: readonly string[]) => JSON.stringify(texts.map((one) => option.parse(one)));
  if (fixed.length > 0 && naming(origin, () => value([text])) === value(fixed.slice(-1))) return;
  throw new SpecError(`${origin}: the site has locked this option (${lock}): leave it out`);
}
