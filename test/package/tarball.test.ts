// test-timeout: 900s
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What a clone has, and node_modules. The checkout itself is not packed: that replaces bin/proc_box for a moment. */
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

/** The command that an installation without its built parts names. */
function commandIn(t: Test, stderr: string): string {
  const [, command = ''] = /run: (node \/\S+install\.mjs)\n$/.exec(stderr) ?? [];
  t.not(command, '', `it says what to do: ${stderr}`);
  return command;
}

t.test('the tarball installs and runs in an empty folder', async (t) => {
  // Not below the checkout, whose node_modules would be found from there.
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-tarball-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['clone', 'empty', 'bare']) mkdirSync(join(folder, name));
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
  for (const path of ['bin/proc_box', 'dist/boot.cjs', 'dist/main.cjs']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  for (const path of ['LICENSE', 'dist/THIRD-PARTY-LICENSES.txt', 'native/index.js', 'native/binding.gyp']) {
    t.ok(paths.includes(path), `it has ${path}`);
  }
  t.strictSame(
    paths.filter((path) => /\.(node|o|cache|stamp)$|^src\/|^test\/|^native\/build\//.test(path)),
    [],
    'nothing of this machine, no sources and no tests',
  );

  const empty = join(folder, 'empty');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(clone, filename)];
  const installed = run(empty, 'npm', ...install);
  t.equal(installed.status, 0, 'npm install', installed);
  const [major] = run(folder, 'npm', '--version').stdout.split('.');
  if (Number(major) >= 12) {
    // It runs no install scripts, and its words for that would not help: ours have to.
    const told = run(empty, 'node_modules/.bin/proc_box', '--', 'echo', 'hi');
    t.match(told, { status: 125, stdout: /^$/ });
    t.equal(run(folder, 'sh', '-c', commandIn(t, told.stderr)).status, 0, 'the command that it names builds it');
  }
  t.ok(existsSync(join(empty, 'node_modules/proc_box/dist/main.cjs.cache')), 'it makes a code cache');
  const job = run(empty, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi');
  t.match(job, { status: 0, stdout: /^hi\n$/ }, 'a job runs');

  const bare = join(folder, 'bare');
  t.equal(run(bare, 'npm', ...install, '--ignore-scripts').status, 0, 'npm install --ignore-scripts');
  const placeholder = run(bare, 'node_modules/.bin/proc_box', '--', 'echo', 'hi');
  t.match(placeholder, { status: 125, stdout: /^$/ });
  const command = commandIn(t, placeholder.stderr);
  // The compiler has been through these sources: make finds its objects up to date.
  const release = 'node_modules/proc_box/native/build/Release';
  cpSync(join(empty, release), join(bare, release), { recursive: true, preserveTimestamps: true });
  rmSync(join(bare, release, 'proc_box'));
  const built = run(folder, 'sh', '-c', command);
  t.equal(built.status, 0, `${command}: ${built.stderr}`);
  t.match(run(bare, 'node_modules/.bin/proc_box', '-uri', 'none', '--', 'echo', 'hi'), { status: 0, stdout: /^hi\n$/ });
});
