import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bashCompletion } from './bash.js';
import { fishCompletion } from './fish.js';
import { manualPages } from './pages.js';
import { readProgram } from './program.js';
import { zshCompletion } from './zsh.js';

/**
 * Writes the manual pages and the completion of three shells into a folder.
 *
 *   node --import tsx scripts/package/manual/write.ts FOLDER [SECONDS SINCE 1970, for the date of the pages]
 */

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** @returns the text of each file by its path below the folder */
export function madeFiles(epochSec: number): ReadonlyMap<string, string> {
  const program = readProgram(join(root, 'bin/proc_box'));
  return new Map([
    ...manualPages(program, epochSec),
    ['completion/proc_box.bash', bashCompletion(program)],
    ['completion/_proc_box', zshCompletion(program)],
    ['completion/proc_box.fish', fishCompletion(program)],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , folder, epochSec = '0'] = process.argv;
  if (folder === undefined) throw new Error('usage: write.ts FOLDER [SECONDS]');
  for (const [path, text] of madeFiles(Number(epochSec))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
