import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { RLIMITS } from '../../src/options/rlimits.js';
import { resourceNames } from '../../src/options/table/limits.js';
import { findOption, OPTION_NAMES, variableName } from '../../src/options/table.js';
import { readSchema } from '../fixtures/schemas.js';

/** Names that the documents mention exist: a renamed file, option or event fails here until the documents follow. */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const files = ['src', 'native', 'scripts', 'test', 'bench', 'docs']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((f) => join(folder, f)),
  )
  .filter((file) => !/^native\/(?:build|node_modules)\b/.test(file));
const fileNames = new Set(files.map((file) => basename(file)));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** The changelog is not among them: it tells of the past, where things had other names. */
const pages = new Map(
  ['README.md', 'CONTRIBUTING.md', 'native/README.md', ...files.filter((file) => /^docs\/.*\.md$/.test(file))].map(
    (name) => [name, read(name)],
  ),
);

/** The text of the only file with this name, in whatever folder. */
function readNamed(name: string): string {
  const found = files.filter((file) => basename(file) === name);
  if (found.length !== 1) throw new Error(`${found.length} files are called ${name}`);
  return read(found[0]!);
}

/**
 * What the groups of a pattern find in the documents, and `isKnown` does not know.
 * @param least the number of mentions below which the pattern no longer finds what it is meant to find
 */
function strangers(
  t: Test,
  pattern: RegExp,
  least: number,
  isKnown: (text: string, page: string) => boolean,
): string[] {
  const found = [...pages].flatMap(([page, content]) =>
    [...content.matchAll(pattern)].flatMap(([, ...groups]) =>
      groups.filter((text) => text !== undefined).map((text) => ({ page, text })),
    ),
  );
  t.ok(found.length >= least, `${found.length} mentions, expected at least ${least}`);
  return found.filter(({ page, text }) => !isKnown(text, page)).map(({ page, text }) => `${page}: ${text}`);
}

t.test('files and folders that the documents mention exist', async (t) => {
  const path = /`((?:src|native|scripts|test|bench|docs|bin|\.ci)\/[\w./-]*)/g;
  t.strictSame(strangers(t, path, 50, exists), []);
  const sourceName = /`([\w-]+\.(?:ts|cc|h|mjs|cjs))`/g;
  const isSource = (name: string) => fileNames.has(name) || name === 'napi.h'; // node-addon-api's
  t.strictSame(strangers(t, sourceName, 30, isSource), []);
});

/** What the build makes need not be there. */
function exists(path: string): boolean {
  return existsSync(join(root, path)) || /^(?:bin\/proc_box|native\/build\/.*)$/.test(path);
}

t.test('links lead to pages that exist, and to headings of theirs', async (t) => {
  const broken = strangers(t, /\]\(([^)\s]+)\)/g, 60, (link, page) => {
    if (/^https?:/.test(link)) return true;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? page : join(dirname(page), file);
    if (!existsSync(join(root, target))) return false;
    return anchor === undefined || (extname(target) === '.md' && headings(read(target)).includes(anchor));
  });
  t.strictSame(broken, []);
});

/** As GitHub makes anchors of headings. */
function headings(page: string): string[] {
  const text = page.replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** Options of other programs, and of none. */
const FOREIGN = new Set(
  [
    'ambient-caps init-groups', // setpriv
    'batch comment constraint full kill-on-bad-exit mem multi-prog pty signal time wrap', // Slurm
    'log-function-events no-rehash-snapshot import', // Node
    'format', // rabbitmqadmin
    'ack-mode arguments count destination destination-type durable name payload properties queue routing-key source type', // its v2
    'scope user now', // systemd-run, systemctl
    'its-own uir x', // examples
  ]
    .join(' ')
    .split(' '),
);

t.test('options that the documents mention exist', async (t) => {
  // Verbs and installers have options of their own: their help texts name them, or a table in a file of that name.
  const own = new Set(
    programs().flatMap((file) => [
      ...[...read(file).matchAll(/--([a-zA-Z][\w-]*)/g)].map(([, name]) => name!),
      ...(/options\.\w+$|option-table\.ts$|^src\/cli\/observe\//.test(file)
        ? [...read(file).matchAll(/^ +'?([a-z][\w-]*)'?: \{/gm)]
        : []
      ).map(([, name]) => name!),
    ]),
  );
  const isKnown = (name: string) => findOption(name) !== undefined || own.has(name) || FOREIGN.has(name);
  t.strictSame(strangers(t, /(?<=[\s`'"(|[])--([a-zA-Z][\w-]*)/g, 200, isKnown), []);
});

/** Sources of what users and sites call: verbs, and what scripts/ has for them. */
function programs(): string[] {
  return files.filter(
    (file) =>
      /^(?:src\/(?:cli|adopt|agent|observe)|scripts)\/(?:.*\/)?[\w-]+(?:\.[cm]?[jt]s)?$/.test(file) && isFile(file),
  );
}

function isFile(file: string): boolean {
  return statSync(join(root, file)).isFile();
}

t.test('environment variables that the documents mention exist', async (t) => {
  const variables = new Set([...OPTION_NAMES.map(variableName), 'PBOX_ARGV']);
  t.strictSame(
    strangers(t, /\b(PBOX_[A-Z_]*[A-Z])\b/g, 50, (name) => variables.has(name)),
    [],
  );
  const sources = files
    .filter((file) => /^(?:src|scripts|test)\/.*(?:\.\w+|qsub-box)$/.test(file) && isFile(file))
    .map(read);
  t.strictSame(
    strangers(t, /\b(PROC_BOX_[A-Z_]*[A-Z])\b/g, 3, (name) => sources.some((text) => text.includes(name))),
    [],
  );
});

t.test('commands, and names of limits, that the documents mention exist', async (t) => {
  const commands = new Set(definitions('command'));
  const command = /(?:"command": ?"|\bthe command `)(\w+)\b|`(\w+)` command\b/g;
  t.strictSame(
    strangers(t, command, 12, (name) => commands.has(name) || name === 'stpo'), // an example of a refusal
    [],
  );
  const limits = new Set(['name', 'ok', 'timeout', 'stdoutlimit', ...resourceNames(), ...Object.keys(RLIMITS)]);
  t.strictSame(
    strangers(t, /\bset_limit ([a-z][a-z-]*)/g, 10, (name) => limits.has(name)),
    [],
  );
});

t.test('events that the documents mention exist', async (t) => {
  const events = new Set(definitions('event'));
  const event = /\b(?:event|events) `(\w+)`(?: and `(\w+)`)?|`(\w+)` events?\b/g;
  t.strictSame(
    strangers(t, event, 20, (name) => events.has(name)),
    [],
  );
});

/** The names that a schema has for its messages: values of the property that says which one it is. */
function definitions(name: 'command' | 'event'): string[] {
  const found: string[] = [];
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    const { [name]: own } = ((node as { properties?: unknown }).properties ?? {}) as Record<
      string,
      { const?: string; enum?: string[] }
    >;
    found.push(...(own?.enum ?? []), ...(own?.const === undefined ? [] : [own.const]));
    Object.values(node).forEach(visit);
  };
  visit(readSchema(name));
  return found;
}

t.test("native/README.md names every request and event of the keeper's protocol, and no other", async (t) => {
  const page = pages.get('native/README.md')!;
  for (const [name, heading] of [
    ['Request', 'request'],
    ['Event', 'event'],
  ] as const) {
    const body = new RegExp(`enum class ${name} [^{]*\\{([^}]*)\\}`).exec(readNamed('protocol.h'))![1]!;
    const names = [...body.matchAll(/^\s*(\w+) = \d+/gm)].map(([, word]) => word!);
    const rows = new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, 'm').exec(page)![1]!;
    const written = [...rows.matchAll(/^\| ([\w, ]+) \|/gm)].flatMap(([, cell]) => cell!.split(', '));
    t.strictSame(written.sort(), names.sort(), name);
  }
});

t.test('docs/design.md lists every bundle with its entry', async (t) => {
  const built = [...readNamed('bundle.mjs').matchAll(/^ {2}'?([\w-]+)'?: \{ (?:entry: '(.*?)'|contents: .*'(\w+)')/gm)];
  const rows = [...pages.get('docs/design.md')!.matchAll(/^\| `([\w-]+)` \| (?:the package )?`(.*?)` \| \d+ \|/gm)];
  const pairs = (found: RegExpMatchArray[]) => found.map(([, name, entry, bare]) => `${name} ${entry ?? bare}`).sort();
  t.ok(built.length > 10);
  t.strictSame(pairs(rows), pairs(built));
});

t.test('npm scripts that the documents mention exist', async (t) => {
  const { scripts } = JSON.parse(read('package.json'));
  t.strictSame(
    strangers(t, /\bnpm run (\w+)/g, 8, (name) => name in scripts),
    [],
  );
});

t.test('what is missing is found', async (t) => {
  t.notOk(exists('src/box/gone.ts'));
  t.strictSame(headings('# A `--b` c\n\n```\n# no\n```\n## The end'), ['a---b-c', 'the-end']);
  const found = strangers(t, /(# Contributing)/g, 1, () => false);
  t.strictSame(found, ['CONTRIBUTING.md: # Contributing']);
});
