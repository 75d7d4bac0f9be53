// test-timeout: 600s
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What a clone has, and node_modules. The checkout itself is not packed: that replaces bin/proc_box for a moment. */
const CLONE = [
  'package.json',
  'tsconfig.json',
  'LICENSE',
  'CHANGELOG.md',
  'README.md',
  'docs',
  'scripts',
  'src',
  'native',
];

function run(cwd: string, command: string, ...args: string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 500_000 });
  return { status, stdout, stderr };
}

t.test('the tarball installs and runs in an empty folder', async (t) => {
  const folder = t.testdir({ clone: {}, empty: {} });
  const clone = join(folder, 'clone');
  for (const name of CLONE.filter((name) => existsSync(join(root, name)))) {
    cpSync(join(root, name), join(clone, name), {
      recursive: true,
      filter: (path) => !/\/native\/build(\/|$)/.test(path),
    });
  }
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));

  const packed = run(clone, 'npm', 'pack', '--json');
  t.equal(packed.status, 0, 'npm pack', packed);
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map((file) => file.path);
  for (const path of ['bin/proc_box', 'dist/boot.cjs', 'dist/main.cjs', 'dist/index.js', 'dist/types/index.d.ts']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  for (const path of ['LICENSE', 'dist/THIRD-PARTY-LICENSES.txt', 'native/index.js', 'native/binding.gyp']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  t.strictSame(
    paths.filter((path) => /\.(node|o|cache|stamp)$|^src\/|^test\/|(^|\/)build\//.test(path)),
    [],
    'nothing of this machine, no sources and no tests',
  );

  const empty = join(folder, 'empty');
  mkdirSync(empty, { recursive: true });
  const tarball = join(clone, filename);
  const withoutScripts = run(
    empty,
    'npm',
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    tarball,
  );
  t.equal(withoutScripts.status, 0, 'npm install --ignore-scripts', withoutScripts);
  const placeholder = run(empty, 'node_modules/.bin/proc_box', '--', 'echo', 'hi');
  t.equal(placeholder.status, 125, 'without its install script it refuses');
  t.match(placeholder.stderr, /npm rebuild proc_box/, 'and says what to do');

  const rebuilt = run(empty, 'npm', 'rebuild', 'proc_box');
  t.equal(rebuilt.status, 0, 'npm rebuild proc_box', rebuilt);
  t.ok(lstatSync(join(empty, 'node_modules/.bin/proc_box')).isSymbolicLink());
  const job = run(empty, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi');
  t.equal(job.status, 0, 'a job runs', job);
  t.equal(job.stdout, 'hi\n');
  t.ok(existsSync(join(empty, 'node_modules/proc_box/dist/main.cjs.cache')), 'with a code cache');

  const api = run(
    empty,
    'node',
    '--input-type=module',
    '-e',
    "console.log(Object.keys(await import('proc_box')).length > 0)",
  );
  t.match(api, { status: 0, stdout: 'true\n' }, 'the public API can be imported');
  const declarations = readFileSync(join(empty, 'node_modules/proc_box/dist/types/index.d.ts'), 'utf8');
  t.notMatch(declarations, /cgroup-utils-native/, 'and its types need no workspace');
});

t.test('npm install of the tarball runs the install script', async (t) => {
  t.match(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')), {
    scripts: { install: 'node scripts/install.mjs' },
  });
});
