import type { FileHandle } from 'node:fs/promises';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fsPath } from '../bytes.js';
import { commandPatterns, patternList } from '../options/control.js';

/**
 * A key in the folder of `--control-keys`, which holds a file `<key id>.json` per key: a public JWK (RFC 7517, RFC
 * 8037) with the name of its owner and what the key may do. The box reads the file for each command that names the key,
 * so removing or replacing a file takes effect with the next command.
 */
export interface PublicKey {
  readonly id: string;
  /** Name of the person or program that signs with this key. */
  readonly name: string;
  /** Patterns of the commands that the key may give, and of the users whose jobs it may command. */
  readonly commands: readonly string[];
  readonly owners: readonly string[];
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
}

/** A key id is also the name of a file, so it must not be able to lead out of the folder. */
const KEY_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
const FILE_MAX_BYTES = 16 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

export function isKeyId(text: unknown): text is string {
  return typeof text === 'string' && KEY_ID.test(text);
}

/** @throws Error with the reason, for our own log only: a sender must not learn which keys exist */
export async function readPublicKey(folder: string, id: string): Promise<PublicKey> {
  const path = join(folder, `${id}.json`);
  try {
    trusted(await stat(folder), folder);
    return parsePublicKey(id, await readTrusted(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Error(`${path} does not exist`, { cause: error });
    throw code === undefined ? error : new Error(`${path}: ${message}`, { cause: error });
  }
}

/** @returns what is wrong with the folder and its keys, for warnings at the start */
export async function publicKeyProblems(folder: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = (await readdir(fsPath(folder))).filter((name) => name.endsWith('.json'));
  } catch (error) {
    return [`${(error as Error).message}; every command is refused until the folder can be read`];
  }
  const ids = names.map((name) => name.slice(0, -'.json'.length));
  if (ids.length === 0) return [`${folder} holds no key (<key id>.json): every command is refused until there is one`];
  const problems = await Promise.all(
    ids.map((id) => {
      if (!isKeyId(id))
        return `${join(folder, id)}.json: its name is not a key id: at most 64 letters, digits, ".", "_", "-"`;
      return readPublicKey(folder, id).then(
        () => [],
        (error: Error) => error.message,
      );
    }),
  );
  return problems.flat();
}

/** @throws Error that names the key and what is wrong with its file */
export function parsePublicKey(id: string, text: string): PublicKey {
  const where = `key "${id}"`;
  let jwk: Record<string, unknown>;
  try {
    jwk = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${where}: the file is not JSON`, { cause });
  }
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new Error(`${where}: it is not a JSON object`);
  const { kty, crv, x, d, kid, name, commands, owners } = jwk;
  if (d !== undefined)
    throw new Error(`${where}: it is a private key: make a new pair, and put only its public key here`);
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') {
    throw new Error(`${where}: it is not a public Ed25519 key: expected "kty": "OKP", "crv": "Ed25519" and "x"`);
  }
  if (kid !== id) throw new Error(`${where}: its "kid" does not match the name of its file`);
  if (typeof name !== 'string' || name === '')
    throw new Error(`${where}: it has no "name", which says who signs with it`);
  return {
    id,
    name,
    commands: commandPatterns(commands, `${where}: commands`),
    owners: patternList(owners, `${where}: owners`),
    jwk: { kty, crv, x },
  };
}

async function readTrusted(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(fsPath(path), 'r');
    const facts = await file.stat();
    trusted(facts, path);
    if (!facts.isFile() || facts.size > FILE_MAX_BYTES)
      throw new Error(`${path}: it is not a regular file of at most 16 KiB`);
    return await file.readFile('utf8');
  } finally {
    await file?.close();
  }
}

/** A user who may write here can give commands, so only root and this user may. @throws Error */
function trusted({ uid, mode }: { uid: number; mode: number }, path: string): void {
  if (uid !== 0 && uid !== process.geteuid?.()) throw new Error(`${path}: it belongs to another user (uid ${uid})`);
  if ((mode & WRITABLE_BY_OTHERS) === 0) return;
  throw new Error(
    `${path}: group or others may write it (mode 0${(mode & 0o7777).toString(8)}); run: chmod go-w ${path}`,
  );
}
