import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const src = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src');

/** Leaves that everyone may import, and what each folder may import besides itself; docs/design.md. */
const LEAVES = ['errors', 'log', 'text', 'delay', 'bytes'];
const BELOW_THE_BOX = ['native', 'options', 'kernel', 'model', 'scheduler', 'cgroup', 'stats'];
const ALL_BUT_THE_VERBS = [...BELOW_THE_BOX, 'box', 'spool', 'amqp', 'node-link'];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  log: ['native', 'text'],
  text: [],
  delay: [],
  bytes: [],
  options: ['native'],
  kernel: ['native', 'options'],
  model: ['native', 'options', 'kernel'],
  scheduler: ['options'],
  cgroup: ['native', 'options', 'kernel'],
  stats: ['native', 'options', 'kernel', 'model', 'cgroup'],
  box: BELOW_THE_BOX,
  spool: ['native', 'options', 'model'],
  amqp: ['native', 'options', 'model', 'stats', 'spool'],
  'node-link': ['native', 'options', 'model', 'stats', 'spool', 'amqp'],
  supervise: ALL_BUT_THE_VERBS,
  print: ['native', 'box'],
  adopt: [...ALL_BUT_THE_VERBS, 'supervise'],
  agent: [...ALL_BUT_THE_VERBS, 'node-link', 'supervise', 'adopt', 'print'],
  observe: ['native', 'options', 'kernel', 'model', 'amqp', 'box', 'print'],
  cli: [...ALL_BUT_THE_VERBS, 'supervise', 'adopt', 'agent', 'observe', 'print'],
};
/** Of src/observe: what each of its parts may import of the other parts, and whether of the rooms beside it. */
const WITHIN_OBSERVE: Readonly<Record<string, { readonly parts: readonly string[]; readonly rooms: boolean }>> = {
  // Runs in the browser as well, so that it may only take types and leaves.
  model: { parts: [], rooms: false },
  report: { parts: ['model', 'source', 'terminal'], rooms: true },
  terminal: { parts: [], rooms: true },
  source: { parts: ['model'], rooms: true },
  top: { parts: ['model', 'source', 'terminal'], rooms: true },
  watch: { parts: ['model', 'source', 'terminal'], rooms: true },
  collector: { parts: ['model', 'report'], rooms: true },
  page: { parts: ['model'], rooms: false },
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

t.test('every import points the way that the design says', async (t) => {
  const files = sourceFiles();
  t.not(files.length, 0);
  t.strictSame(
    files
      .flatMap(importsOf)
      .filter((found) => !allowed(found))
      .map(({ file, to }) => `${file} imports ${to}`),
    [],
  );
});

t.test('the parts of src/observe import one way, and what runs in a browser takes nothing of Node', async (t) => {
  const files = sourceFiles().filter((file) => relative(src, file).startsWith('observe/'));
  t.not(files.length, 0);
  t.strictSame(
    files
      .flatMap(importsOf)
      .filter((found) => !allowedWithinObserve(found))
      .map(({ file, to }) => `${file} imports ${to}`),
    [],
  );
  const breach = (file: string, to: string) => !allowedWithinObserve({ file, from: 'observe', to });
  t.ok(breach('observe/model/parse.ts', 'observe/collector/live'));
  t.ok(breach('observe/top/top.ts', 'observe/collector/live'));
  t.ok(breach('observe/page/main.ts', 'amqp/keys'));
  t.notOk(breach('observe/collector/live.ts', 'observe/model/parse'));
});

t.test('no import goes round', async (t) => {
  const imports = sourceFiles().flatMap(importsOf);
  t.strictSame(circles(imports), []);
  const round = [
    { file: 'a.ts', from: 'a', to: 'b' },
    { file: 'b.ts', from: 'b', to: 'c' },
    { file: 'c.ts', from: 'c', to: 'b' },
  ];
  t.strictSame(circles(round), ['b', 'c'], 'a circle is found');
});

t.test('every folder of src has its rule', async (t) => {
  const folders = new Set(sourceFiles().map((file) => folderOf(relative(src, file))));
  t.strictSame(
    [...folders].filter((folder) => !(folder in MAY_IMPORT)),
    [],
  );
});

t.test('no folder of src holds more than a fifth of the code', async (t) => {
  const sizes = new Map<string, number>();
  for (const file of sourceFiles()) {
    // The parts of src/observe are rooms of their own.
    const path = relative(src, file);
    const folder = path.startsWith('observe/') ? path.split('/').slice(0, 2).join('/') : folderOf(path);
    sizes.set(folder, (sizes.get(folder) ?? 0) + readFileSync(file, 'utf8').split('\n').length);
  }
  const all = [...sizes.values()].reduce((sum, lines) => sum + lines, 0);
  t.strictSame(
    [...sizes].filter(([, lines]) => lines > all / 5),
    [],
  );
});

t.test('a breach is found', async (t) => {
  const breach = (from: string, to: string) => !allowed({ file: 'x.ts', from, to });
  t.ok(breach('box', 'amqp/outbox'));
  t.ok(breach('amqp', 'box/box'));
  t.ok(breach('options', 'cli/main'));
  t.ok(breach('supervise', 'adopt/adopted-box'));
  t.ok(breach('supervise', 'cli/main'));
  t.ok(breach('stats', 'box/box'));
  t.notOk(breach('amqp', 'model/types'));
  t.notOk(breach('box', 'errors'));
  t.notOk(breach('cli', 'amqp/link'));
  t.ok(breach('supervise', 'observe/model/parse'), 'nothing of it is on the path of a box');
});

t.test('only the command line ends the process or reads its arguments', async (t) => {
  const offenders = sourceFiles().filter(
    (file) =>
      folderOf(relative(src, file)) !== 'cli' &&
      /\bprocess\.(exit|argv|exitCode)\b/.test(withoutComments(readFileSync(file, 'utf8'))),
  );
  t.strictSame(
    offenders.map((file) => relative(src, file)),
    [],
  );
});

function allowed({ from, to }: Import): boolean {
  const folder = folderOf(to);
  if (folder === from || LEAVES.includes(to)) return true;
  return (MAY_IMPORT[from] ?? []).some((name) => to === name || folder === name);
}

/** The model takes types of src/model: esbuild and tsc drop them, so that they cost a browser nothing. */
function allowedWithinObserve({ file, to }: Import): boolean {
  const rule = WITHIN_OBSERVE[file.split('/')[1]!];
  if (rule === undefined) return false;
  const [room, part] = to.split('/');
  if (room === 'observe') return part === file.split('/')[1] || rule.parts.includes(part!);
  // Amounts have the same words for people everywhere, and need nothing of Node.
  return rule.rooms || LEAVES.includes(to) || room === 'model' || to === 'options/amounts';
}

/** Files that import themselves through others. */
function circles(imports: readonly Import[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { file, to } of imports) {
    const from = file.replace(/\.[cm]?ts$/, '');
    targets.set(from, [...(targets.get(from) ?? []), to]);
  }
  const reaches = (from: string, goal: string, seen: Set<string>): boolean =>
    (targets.get(from) ?? []).some((to) => to === goal || (!seen.has(to) && reaches(to, goal, seen.add(to))));
  return [...targets.keys()].filter((file) => reaches(file, file, new Set()));
}

function sourceFiles(): string[] {
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.[cm]?ts$/.test(name)).map((name) => join(src, name));
}

/** Imports of our own code, types as well: a type is knowledge too. Packages are no concern here. */
function importsOf(file: string): Import[] {
  const text = withoutComments(readFileSync(file, 'utf8'));
  const targets = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*(['"])([^'"]+)\1/g)].map(
    (match) => match[2] as string,
  );
  const from = folderOf(relative(src, file));
  return targets.flatMap((target) => {
    if (target === 'cgroup-utils-native') return [{ file: relative(src, file), from, to: 'native' }];
    // A package, also where it is named by its path.
    if (!target.startsWith('.') || target.includes('/node_modules/')) return [];
    return [
      { file: relative(src, file), from, to: relative(src, join(dirname(file), target)).replace(/\.[cm]?[jt]s$/, '') },
    ];
  });
}

/** First folder of a path below src, or the file's own name where it lies in src itself. */
function folderOf(path: string): string {
  return (path.split('/')[0] as string).replace(/\.[cm]?[jt]s$/, '');
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}
