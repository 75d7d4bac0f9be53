// debian: mandoc
// test-timeout: 120s
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { madeFiles } from '../../scripts/package/manual/write.js';
import { VERBS } from '../../src/options/table/verbs.js';
import { OPTION_NAMES, OPTIONS, type Option } from '../../src/options/table.js';
import { temporaryFolder } from '../fixtures/run.js';

/** The manual pages that the packages have; bin/proc_box says what its verbs do. */

const pages = [...madeFiles(1_700_000_000)].filter(([path]) => path.startsWith('man'));
const textOf = (path: string) => new Map(pages).get(path) ?? '';

t.test('there is a page for each verb, one for the file, and an overview', async (t) => {
  const names = pages.map(([path]) => path);
  const wanted = ['man1/proc_box.1', ...VERBS.map((verb) => `man1/proc_box-${verb}.1`), 'man1/qsub-box.1'];
  t.strictSame(names.toSorted(), [...wanted, 'man5/proc_box.yaml.5', 'man7/proc_box.7'].toSorted());
});

t.test('every option is in proc_box(1), and every key in proc_box.yaml(5)', async (t) => {
  const [main, file] = [textOf('man1/proc_box.1'), textOf('man5/proc_box.yaml.5')];
  for (const name of OPTION_NAMES) {
    const { only }: Option = OPTIONS[name];
    t.match(main, new RegExp(`^\\.It Fl -${name}( Ar .*)?$`, 'm'));
    t.equal(new RegExp(`^\\.It Cm ${name} :`, 'm').test(file), only === undefined, name);
  }
});

t.test('a page has what the help text of its verb has', async (t) => {
  const ctl = textOf('man1/proc_box-ctl.1');
  for (const part of [
    '.It Fl -sign-key Ar path',
    '.It Cm suspend',
    '.Sh CTL KEYGEN',
    '.Sh EXIT STATUS',
    '.It Fl -owners Ar list',
  ])
    t.ok(ctl.includes(part), part);
  t.match(textOf('man1/proc_box-spool.1'), /^\.Nm proc_box\n\.Cm spool\n\.Cm flush\n\.Op Fl -wait Ar duration$/m);
});

t.test('mandoc finds nothing to say', async (t) => {
  const folder = temporaryFolder(t);
  for (const [path, text] of pages) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { error, stdout } = spawnSync('mandoc', ['-T', 'lint', ...pages.map(([path]) => path)], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (error !== undefined) return t.pass('mandoc', { skip: 'mandoc is not installed' });
  // The pages are not installed where it looks.
  const said = stdout
    .split('\n')
    .filter((line) => line !== '' && !/referenced manual not found: Xr (?:proc_box|qsub-box)/.test(line));
  t.strictSame(said, []);
  const referred = [
    ...pages
      .map(([, text]) => text)
      .join('\n')
      .matchAll(/^\.Xr (\S+) (\d)/gm),
  ].map(([, name, section]) => `man${section}/${name}.${section}`);
  t.strictSame(
    [...new Set(referred)].filter((path) => textOf(path) === ''),
    [],
    'every page that is referred to is there',
  );
});
