import { generateKeyPairSync } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userName } from 'cgroup-utils-native';
import { isKeyId } from '../amqp/public-keys.js';
import { SpecError } from '../errors.js';
import { commandPatterns, patternList } from '../options/control.js';
import { isSet, readVerb, type Verb } from '../options/verb-words.js';
import { quote } from '../options/words.js';

/** `proc_box ctl keygen`: makes a key to sign commands with. */

const TEXT = { placeholder: 'text' };

const KEYGEN = {
  name: 'proc_box ctl keygen',
  own: { name: TEXT, commands: TEXT, owners: TEXT, dir: TEXT, help: {} },
  ofBox: [],
  ends: 'with the words',
} as const satisfies Verb<string>;

const HELP = `usage: proc_box ctl keygen [options] <key id>

Makes an Ed25519 key to sign commands with (proc_box ctl --sign-key), for boxes with --control-auth signed:
  <key id>.key    the private key, mode 0600: its owner keeps it
  <key id>.json   the public key and what it may do: put it into the folder of --control-keys

Options:
  --name <text>       name of the signer in the audit trail (default: your user name)
  --commands <list>   commands that the key may give, separated by commas; * matches any characters (default *)
  --owners <list>     users whose jobs it may command, separated by commas; * as above (default *)
  --dir <path>        folder for the two files (default .)
  --help              print this text

Examples:
  proc_box ctl keygen --name 'Olga Operator' olga-2026
  proc_box ctl keygen --commands 'status,sample,suspend,resume' --owners alice alice-laptop
`;

/** @param words after `proc_box ctl keygen` @returns what to print @throws SpecError */
export function runKeygen(words: readonly string[]): string {
  const read = readVerb<keyof typeof KEYGEN.own>(words, KEYGEN);
  const { own: options, rest } = read;
  if (isSet(read, 'help')) return HELP;
  const [id, extra] = rest;
  if (id === undefined) throw new SpecError('keygen needs a key id, for example "olga-2026"; see keygen --help');
  if (extra !== undefined)
    throw new SpecError(`keygen makes one key at a time: ${quote(extra)} is one argument too many`);
  if (!isKeyId(id)) {
    throw new SpecError(
      `${quote(id)} is not a key id: at most 64 letters, digits, ".", "_", "-", for example "olga-2026"`,
    );
  }
  const list = (name: 'commands' | 'owners') => (options.get(name) ?? '*').split(',').map((item) => item.trim());
  const commands = commandPatterns(list('commands'), '--commands');
  const owners = patternList(list('owners'), '--owners');
  const name = options.get('name') ?? userName();

  const base = join(options.get('dir') ?? '.', id);
  const { d, x } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', kid: id, x };
  if (existsSync(`${base}.json`)) throw taken(`${base}.json`);
  writeNew(`${base}.key`, { ...jwk, d }, 0o600);
  writeNew(`${base}.json`, { ...jwk, name, commands, owners }, 0o644);
  return `${base}.key   private, mode 0600: proc_box ctl --sign-key ${base}.key ...
${base}.json  public: copy it into the folder of --control-keys, which only root may write to
`;
}

function writeNew(path: string, jwk: object, mode: number): void {
  try {
    writeFileSync(path, `${JSON.stringify(jwk, undefined, 2)}\n`, { mode, flag: 'wx' });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === 'EEXIST' ? taken(path) : new SpecError(`write ${path}: ${code}`, { cause });
  }
}

function taken(path: string): SpecError {
  return new SpecError(`${path} already exists, and keygen never overwrites a key; choose another key id`);
}
