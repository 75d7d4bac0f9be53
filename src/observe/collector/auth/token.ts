import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EnvironmentError } from '../../../errors.js';

/** The token that the collector makes: the same after a restart, so that pages that are open go on. */

const FILE = 'token';
const BYTES = 24;

/** @param folder of the store, or another that is the collector's own. @throws EnvironmentError */
export function ownToken(folder: string): string {
  const path = join(folder, FILE);
  try {
    const text = readFileSync(path, 'latin1').trim();
    if (/^[0-9a-f]{48}$/.test(text)) return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw failed(path, error);
  }
  const token = randomBytes(BYTES).toString('hex');
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${token}\n`, { mode: 0o600 });
  } catch (error) {
    throw failed(path, error);
  }
  return token;
}

function failed(path: string, cause: unknown): EnvironmentError {
  return new EnvironmentError(
    `token ${path}: ${(cause as NodeJS.ErrnoException).code}: give tokens with --token-file, or create the folder for the user that runs the collector`,
    {
      cause,
    },
  );
}
