import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const src = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'native', 'src');

/** What each folder may include besides itself; native/README.md. */
const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  proc: [],
  keeper: ['proc', 'wire'],
  front: ['keeper', 'proc', 'wire'],
  addon: ['proc', 'wire'],
};

interface Include {
  readonly file: string;
  readonly to: string;
}

t.test('every include points the way that native/README.md says', async (t) => {
  const files = sourceFiles();
  t.not(files.length, 0);
  t.strictSame(
    files
      .flatMap(includesOf)
      .filter((found) => !allowed(found))
      .map(({ file, to }) => `${file} includes ${to}`),
    [],
  );
});

t.test('every include names a file by its path from native/src', async (t) => {
  const files = sourceFiles();
  t.strictSame(
    files.flatMap(includesOf).filter(({ to }) => !files.includes(to)),
    [],
  );
});

t.test('no include goes round', async (t) => {
  t.strictSame(circles(sourceFiles().flatMap(includesOf)), []);
  const round = [
    { file: 'proc/a.h', to: 'proc/b.h' },
    { file: 'proc/b.h', to: 'proc/c.h' },
    { file: 'proc/c.h', to: 'proc/b.h' },
  ];
  t.strictSame(circles(round), ['proc/b.h', 'proc/c.h'], 'a circle is found');
});

t.test('every file lies in a folder that has its rule', async (t) => {
  t.strictSame(
    sourceFiles().filter((file) => !(folderOf(file) in MAY_INCLUDE)),
    [],
  );
});

t.test('a breach is found', async (t) => {
  const breach = (file: string, to: string) => !allowed({ file, to });
  t.ok(breach('wire/frames.h', 'proc/clock.h'));
  t.ok(breach('proc/tree.h', 'wire/protocol.h'));
  t.ok(breach('keeper/start.cc', 'front/options.h'));
  t.ok(breach('keeper/keeper.cc', 'addon/js.h'));
  t.ok(breach('addon/js_keeper.cc', 'keeper/keeper.h'));
  t.ok(breach('addon/js_keeper.cc', 'front/front.h'));
  t.ok(breach('keeper/keeper.cc', 'keeper.h'), 'also a file without a folder');
  t.notOk(breach('keeper/start.cc', 'proc/tree.h'));
  t.notOk(breach('front/front.cc', 'keeper/guard.h'));
  t.notOk(breach('addon/js_sample.cc', 'proc/sample.h'));
});

t.test(
  'wire, proc and keeper are mechanism: no scheduler, no setting and no name of a group is in their code',
  async (t) => {
    const policy = (text: string) => {
      const code = text.replace(/^#.*$|\/\/.*$/gm, '');
      return /"[^"\n]*(?:SLURM|PBS|SGE_|LSB_|_CONDOR|PBOX_|--[a-z]|proc_box-(?!keeper"|guard"))/.test(code);
    };
    t.ok(policy('getenv("PBS_JOBID")') && policy('group("proc_box-" + id)'));
    t.notOk(policy('prctl(PR_SET_NAME, "proc_box-keeper"); // as in PBS'));
    t.strictSame(
      sourceFiles().filter(
        (file) => ['wire', 'proc', 'keeper'].includes(folderOf(file)) && policy(readFileSync(join(src, file), 'utf8')),
      ),
      [],
    );
  },
);

t.test('only the addon knows Node', async (t) => {
  const knowsNode = (text: string) => /#include <(?:napi|node_api|node|uv|v8)\.h>/.test(text);
  t.ok(knowsNode('#include <napi.h>'));
  t.strictSame(
    sourceFiles().filter((file) => folderOf(file) !== 'addon' && knowsNode(readFileSync(join(src, file), 'utf8'))),
    [],
  );
});

function allowed({ file, to }: Include): boolean {
  const [from, folder] = [folderOf(file), folderOf(to)];
  return folder === from || (MAY_INCLUDE[from] ?? []).includes(folder);
}

/** Files that include themselves through others. */
function circles(includes: readonly Include[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { file, to } of includes) targets.set(file, [...(targets.get(file) ?? []), to]);
  const reaches = (from: string, goal: string, seen: Set<string>): boolean =>
    (targets.get(from) ?? []).some((to) => to === goal || (!seen.has(to) && reaches(to, goal, seen.add(to))));
  return [...targets.keys()].filter((file) => reaches(file, file, new Set()));
}

function sourceFiles(): string[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(?:cc|h)$/.test(name));
}

function includesOf(file: string): Include[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(([, to]) => ({ file, to: to! }));
}

/** First folder of a path below native/src; empty for a file that lies in none. */
function folderOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] as string) : '';
}
