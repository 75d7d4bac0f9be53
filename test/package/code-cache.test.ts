import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

t.test('the code cache of the launch bundle has what real launches called', (t) => {
  const filename = join(root, 'dist/main.cjs');
  const uncalled = new Script(readFileSync(filename, 'latin1'), { filename }).createCachedData();
  const { size } = statSync(`${filename}.cache`);
  t.ok(size > 2 * uncalled.length, `${size} bytes, ${uncalled.length} where nothing was called`);
  t.end();
});
