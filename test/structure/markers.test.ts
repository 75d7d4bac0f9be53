import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const MARKER = /^(?:<{7}|>{7}) /m;
const OWN = ['bench', 'docs', 'native/src', 'scripts', 'src', 'test'];

t.test('no file has the markers of a merge that was not resolved', async (t) => {
  const here = readdirSync(root, { withFileTypes: true });
  const files = here.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const folder of OWN) {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    files.push(
      ...entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath.slice(root.length + 1), entry.name)),
    );
  }
  t.ok(files.length > 300, `${files.length} files`);
  t.strictSame(
    files.filter((file) => MARKER.test(readFileSync(join(root, file), 'latin1'))),
    [],
  );
});

/** What the repository holds at its top level, and what tools leave there (.gitignore). */
const TOP = new Set([
  ...['.ci', '.git', '.gitignore', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'bench', 'biome.json'],
  ...['docs', 'native', 'package-lock.json', 'package.json', 'scripts', 'src', 'test', 'tsconfig.json'],
  ...['.tap', 'bin', 'coverage', 'dist', 'node', 'node_modules', 'packages'],
]);

t.test('no test has written a file into its working directory', async (t) => {
  const strays = readdirSync(root).filter((name) => !TOP.has(name) && !name.endsWith('.tgz'));
  t.strictSame(strays, []);
});
