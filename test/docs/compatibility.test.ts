import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CELLS } from '../../scripts/dev/versions/cells.mjs';
import { readResults, withTable } from '../../scripts/dev/versions/table.mjs';
import { type Known, NODE, RABBITMQ, SLURM, versionRow } from '../../src/cli/check/versions.js';

/** docs/compatibility.md says what was run, and `proc_box check` believes the same. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');
const results = readResults();

t.test('the page has the results that were recorded', async (t) => {
  t.equal(withTable(page, CELLS, results), page, 'npm run test:versions -- --table');
});

t.test('every row was run, and nothing failed', async (t) => {
  for (const { id } of CELLS) {
    const result = results[id];
    t.ok(result !== undefined && result.passed > 0, `${id} was run`);
    t.strictSame(result?.failures, [], id);
    t.match(result?.date, /^\d{4}-\d\d-\d\d$/, id);
  }
  t.strictSame(
    Object.keys(results).filter((id) => !CELLS.some((cell) => cell.id === id)),
    [],
    'and there is no result of a row that is no more',
  );
});

t.test('proc_box check knows the versions of the page, and no other', async (t) => {
  for (const known of [NODE, RABBITMQ, SLURM] as Known[]) {
    const versions = CELLS.filter(({ subject }) => subject === known.name).map(({ id }) => results[id]?.version ?? '');
    for (const version of versions) t.equal(versionRow(known, version).status, 'PASS', `${known.name} ${version}`);
    for (const prefix of known.tested)
      t.ok(
        versions.some((version) => `${version}.`.startsWith(`${prefix}.`)),
        `${known.name} ${prefix} was tested`,
      );
  }
});
