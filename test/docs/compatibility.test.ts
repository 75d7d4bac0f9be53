import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CELLS } from '../../scripts/dev/versions/cells.mjs';
import { readResults, withTable } from '../../scripts/dev/versions/table.mjs';
import { type Known, NODE, RABBITMQ, SLURM } from '../../src/cli/check/versions.js';

/** docs/compatibility.md says what was run, and `proc_box check` believes the same. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');
const results = readResults();

t.test('the page has the results that were recorded', async (t) => {
  t.equal(withTable(page, CELLS, results), page, 'npm run test:versions -- --table');
});

t.test('every result is that of a row', async (t) => {
  for (const [id, { passed, date, version }] of Object.entries(results)) {
    t.ok(
      CELLS.some((cell) => cell.id === id),
      id,
    );
    t.ok(passed > 0 && /^\d{4}-\d\d-\d\d$/.test(date) && /^\d/.test(version), `${id} was run`);
  }
});

t.test('proc_box check knows the versions of the page, and no other', async (t) => {
  for (const { name, tested } of [NODE, RABBITMQ, SLURM] as Known[]) {
    const found = CELLS.filter(({ subject, id }) => subject === name && results[id] !== undefined);
    const versions = found.map(({ id }) => results[id]!.version);
    for (const version of versions)
      t.ok(
        tested.some((prefix) => `${version}.`.startsWith(`${prefix}.`)),
        `${name} ${version}`,
      );
    t.equal(CELLS.filter(({ subject, vm }) => subject === name && !vm).length, tested.length, `rows of ${name}`);
  }
});
