import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { optionsPage } from '../../scripts/dev/options-doc.js';
import { OPTION_NAMES } from '../../src/options/table.js';

const page = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'options.md');

t.test('docs/options.md is what the table says; node --import tsx scripts/dev/options-doc.ts writes it', async (t) => {
  t.equal(readFileSync(page, 'utf8'), optionsPage());
  for (const name of OPTION_NAMES) t.match(optionsPage(), `| \`--${name}`);
});
