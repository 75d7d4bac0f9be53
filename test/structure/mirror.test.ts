import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import t from 'tap';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Sources that only make sense as a part of a running process, by the test that runs them there. A source that gets logic
 * which can be tested alone gets a mirrored test, and its line here goes.
 */
const RUN_BY: Readonly<Record<string, string>> = {
  'agent/hosted-box': 'end-to-end/agent-life',
  'agent/hosting': 'end-to-end/agent-life',
  'amqp/index': 'amqp/faults',
  'cli/collector': 'end-to-end/collector',
  'cli/main': 'end-to-end/launch-exit',
  'observe/terminal/terminal': 'end-to-end/top',
  'observe/top/top': 'end-to-end/top',
  'observe/top/broker-source': 'end-to-end/top',
  'cli/observe/top': 'end-to-end/top',
  'cli/observe/command': 'end-to-end/top',
  'cli/observe/broker': 'end-to-end/top',
  'observe/collector/alerts/publish': 'end-to-end/collector-alerts',
  'observe/collector/api/live-jobs': 'end-to-end/collector',
  'observe/collector/api/problem': 'end-to-end/collector',
  'observe/collector/api/routes': 'end-to-end/collector',
  'observe/collector/api/server': 'end-to-end/collector',
  'observe/collector/api/sse': 'observe/collector/api/live-pages',
  'observe/collector/api/views': 'end-to-end/collector',
  'observe/collector/auth/token': 'end-to-end/collector',
  'observe/collector/consume/consumer': 'end-to-end/collector',
  'observe/collector/consume/intake': 'observe/collector/store/store',
  'observe/collector/consume/queue': 'end-to-end/collector',
  'observe/collector/help': 'end-to-end/collector',
  'observe/collector/metrics/top-jobs': 'observe/collector/metrics/metrics',
  'observe/collector/notes': 'end-to-end/collector',
  'observe/collector/otel/otel': 'end-to-end/collector-alerts',
  'observe/collector/run': 'end-to-end/collector',
  'observe/collector/session': 'end-to-end/collector',
  'observe/collector/store/database': 'observe/collector/store/store',
  'observe/collector/store/kept': 'observe/collector/store/store',
  'observe/collector/store/postgres': 'observe/collector/store/store',
  'observe/collector/store/queries': 'observe/collector/store/store',
  'observe/collector/store/retention': 'observe/collector/store/store',
  'observe/collector/store/schema': 'observe/collector/store/store',
  'observe/collector/store/sqlite': 'observe/collector/store/store',
  'observe/collector/store/sqlite-file': 'observe/collector/store/store',
  'observe/collector/store/sqlite-module': 'observe/collector/store/store',
  'observe/page/view/fetch': 'observe/page/browser',
  'observe/page/view/job-data': 'observe/page/browser',
  'observe/page/view/stream': 'observe/page/browser',
  'observe/page/view/theme': 'observe/page/browser',
  'observe/page/view/use': 'observe/page/browser',
  'supervise/create-box': 'end-to-end/launch-exit',
  'supervise/run': 'end-to-end/launch-exit',
};

/** Tables, whose rows other tests read: those of the parsers, of --help and of docs/options.md. */
const TABLES = /^options\/table(?:\/|$)/;
/** What hands on to the addon, and what tests put something else in the place of. */
const NO_LOGIC = ['box/time'];

const sources = filesOf('src').filter((name) => !name.endsWith('.d'));

t.test('every source with logic of its own has its test at the mirrored path', async (t) => {
  t.ok(sources.length > 100);
  t.strictSame(
    sources.filter((name) => !hasTest(name) && !isException(name)),
    [],
    'a test is missing: test/<the same path>.test.ts',
  );
});

t.test('an exception is a source that is there, has no mirrored test, and is run by another one', async (t) => {
  const named = [...Object.keys(RUN_BY), ...NO_LOGIC];
  t.strictSame(
    named.filter((name) => !sources.includes(name)),
    [],
    'there is no such source',
  );
  t.strictSame(named.filter(hasTest), [], 'it has a mirrored test');
  t.strictSame(
    Object.values(RUN_BY).filter((name) => !hasTest(name)),
    [],
    'there is no such test',
  );
});

t.test('types and names that are handed on are no logic', async (t) => {
  t.notOk(hasCode("export interface A { f(): void }\nexport type { B } from './b.js';\nexport { c } from './c.js';"));
  t.ok(hasCode('export function f() { return 1; }'));
  t.ok(hasCode("import './polyfill.js';\nexport const f = () => 1;"));
});

function isException(name: string): boolean {
  if (name in RUN_BY || NO_LOGIC.includes(name) || TABLES.test(name)) return true;
  return !hasCode(readFileSync(join(root, 'src', `${name}.ts`), 'utf8'));
}

/** Whether anything is left that can run, once the types are gone. */
function hasCode(text: string): boolean {
  return /\bfunction\b|=>|\bclass\b/.test(transformSync(text, { loader: 'ts' }).code);
}

function hasTest(name: string): boolean {
  return existsSync(join(root, 'test', `${name}.test.ts`));
}

/** Paths below a folder without `.ts`. */
function filesOf(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => name.slice(0, -'.ts'.length));
}
