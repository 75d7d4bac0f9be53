// test-timeout: 900s
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What a clone has, with the native part that is built already, and node_modules. */
const CLONE = [
  'package.json',
  'package-lock.json',
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
  // Not below the checkout, whose node_modules would be found from there.
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-tarball-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['clone', 'empty', 'bare']) mkdirSync(join(folder, name));
  const clone = join(folder, 'clone');
  for (const name of CLONE.filter((name) => existsSync(join(root, name)))) {
    cpSync(join(root, name), join(clone, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));

  const packed = run(clone, 'npm', 'pack', '--json');
  t.equal(packed.status, 0, 'npm pack', packed);
  // npm 12 prints an object with the package's name, and npm before that a list.
  const [{ filename, files }] = Object.values(JSON.parse(packed.stdout)) as [
    { filename: string; files: { path: string }[] },
  ];
  const paths = files.map((file) => file.path);
  for (const path of ['bin/proc_box', 'dist/boot.cjs', 'dist/main.cjs']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  for (const path of ['native/build/Release/cgroup_utils_native.node', 'node_modules/node-addon-api/package.json']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  for (const path of ['LICENSE', 'dist/THIRD-PARTY-LICENSES.txt', 'native/index.js', 'native/binding.gyp']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  t.strictSame(
    paths.filter((path) => /\.(node|o|cache|stamp)$|^src\/|^test\/|^native\/build\/|^node\//.test(path)),
    ['native/build/Release/cgroup_utils_native.node'],
    'nothing of this machine but the prebuilt addon, no sources and no tests',
  );

  const empty = join(folder, 'empty');
  const install = ['install', '--offline', '--no-audit', '--no-fund', join(clone, filename)];
  const installed = run(empty, 'npm', ...install);
  t.equal(installed.status, 0, 'npm install without a registry', installed);
  const [npmMajor] = run(folder, 'npm', '--version').stdout.split('.');
  // Newer ones run no install scripts, which a box can do without.
  if (Number(npmMajor) < 12) {
    t.ok(existsSync(join(empty, 'node_modules/proc_box/dist/main.cjs.cache')), 'it makes a code cache');
    t.ok(existsSync(join(empty, 'node_modules/proc_box/node/bin/node')), 'and links the Node that has run it');
  }
  const job = run(empty, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi');
  t.match(job, { status: 0, stdout: /^hi\n$/ }, 'a job runs');

  const bare = join(folder, 'bare');
  t.equal(run(bare, 'npm', ...install, '--ignore-scripts').status, 0, 'npm install --ignore-scripts');
  t.match(run(bare, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi'), { status: 0, stdout: /^hi\n$/ });

  // Where the prebuilt part does not run, the install script compiles it: here its executable is none.
  const own = join(bare, 'node_modules/proc_box');
  writeFileSync(join(own, 'bin/proc_box'), 'of another processor');
  // The compiler has been through these sources: make finds its objects up to date.
  cpSync(join(root, 'native/build'), join(own, 'native/build'), { recursive: true, preserveTimestamps: true });
  rmSync(join(own, 'native/build/.stamp'), { force: true });
  const built = run(own, 'node', 'scripts/build/install.mjs');
  t.equal(built.status, 0, built.stderr);
  t.match(run(bare, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi'), { status: 0, stdout: /^hi\n$/ });
});
