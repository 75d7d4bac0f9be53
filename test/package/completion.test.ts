// debian: zsh fish
// test-timeout: 180s
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { madeFiles } from '../../scripts/package/manual/write.js';
import { temporaryFolder } from '../fixtures/run.js';

/** Completion in the shells themselves. */

const fixtures = join(dirname(fileURLToPath(import.meta.url)), '../fixtures/completion');
const folder = temporaryFolder(t);
mkdirSync(join(folder, 'completion'));
for (const [path, text] of madeFiles(0)) if (path.startsWith('completion/')) writeFileSync(join(folder, path), text);
writeFileSync(join(folder, 'only-file'), '');

const has = (shell: string) => spawnSync(shell, ['--version']).error === undefined;

function run(shell: string, args: readonly string[]): string[] {
  const { PATH, TERM = 'xterm' } = process.env;
  const env = { PATH, TERM, HOME: folder, LANG: 'C.UTF-8' };
  const { stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: 'utf8', env, timeout: 60_000 });
  if (stderr !== '') throw new Error(`${shell}: ${stderr}`);
  return stdout.trimEnd().split('\n');
}

t.test('bash', { skip: has('bash') ? false : 'bash is not installed' }, async (t) => {
  const cases: [string, RegExp][] = [
    ['proc_box --uri-f', /^--uri-file$/],
    ['proc_box ctl --job 12 set', /^set_limit$/],
    ['proc_box --failure ', /^open closed$/],
    ['proc_box --failure = cl', /^closed$/],
    ['proc_box --config only', /^only-file$/],
    ['proc_box --agent ', /^auto none .*only-file/],
    ['proc_box adop', /^adopt$/],
    ['proc_box --timeout 1h adop', /^$/],
    ['proc_box --timeout 1h -- ls only', /^only-file$/],
    ['proc_box spool ', /^list flush$/],
    ['proc_box where --wa', /^--wait$/],
    ['proc_box list --memo', /^$/],
    ['proc_box adopt --pid 1 --memory-', /^--memory-high$/],
  ];
  const said = run('bash', [
    '--norc',
    '--noprofile',
    join(fixtures, 'bash.sh'),
    'completion/proc_box.bash',
    ...cases.map(([line]) => line),
  ]);
  for (const [index, [line, wanted]] of cases.entries()) t.match(said[index] ?? '', wanted, line);
});

t.test('zsh', { skip: has('zsh') ? false : 'zsh is not installed' }, async (t) => {
  const cases: [string, string][] = [
    ['proc_box --uri-f', 'proc_box --uri-file='],
    ['proc_box ctl set', 'proc_box ctl set_limit '],
    ['proc_box --failure cl', 'proc_box --failure closed '],
    ['proc_box --failure=cl', 'proc_box --failure=closed '],
    ['proc_box --config only', 'proc_box --config only-file '],
    ['proc_box adop', 'proc_box adopt '],
    ['proc_box --timeout 1h -- ls only', 'proc_box --timeout 1h -- ls only-file '],
    ['proc_box spool li', 'proc_box spool list '],
    ['proc_box where --wa', 'proc_box where --wait='],
    ['proc_box list --us', 'proc_box list --user='],
    ['proc_box adopt --pid 1 --memo', 'proc_box adopt --pid 1 --memory'],
  ];
  const said = run('zsh', [
    '-f',
    join(fixtures, 'zsh.zsh'),
    join(folder, 'completion'),
    ...cases.map(([line]) => line),
  ]);
  for (const [index, [line, wanted]] of cases.entries()) t.equal((said[index] ?? '').trimEnd(), wanted.trimEnd(), line);
});

t.test('fish', { skip: has('fish') ? false : 'fish is not installed' }, async (t) => {
  const cases: [string, RegExp][] = [
    ['proc_box --uri-f', /^--uri-file$/],
    ['proc_box ctl --job 12 set', /^set_limit$/],
    ['proc_box --failure ', /^closed open$/],
    ['proc_box --failure=cl', /^--failure=closed$/],
    ['proc_box --config only', /^only-file$/],
    ['proc_box adop', /^adopt$/],
    ['proc_box --timeout 1h -- ls only', /^only-file$/],
    ['proc_box spool ', /^flush list$/],
    ['proc_box where --wa', /^--wait$/],
    ['proc_box list --us', /^--user$/],
  ];
  for (const [line, wanted] of cases) {
    const said = run('fish', ['--no-config', '-c', `source completion/proc_box.fish; complete -C '${line}'`]);
    t.match(said.map((one) => one.split('\t', 1)[0]).join(' '), wanted, line);
  }
});
