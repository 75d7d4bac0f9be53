/** Makes the bundles of dist/ with esbuild; native/README.md and src/cli/boot.cjs say how they are loaded. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from '../dev/setup.mjs';
import { page } from './page.mjs';

/** The bundles that src/cli/boot.cjs loads by name. Code that is not on the launch path has its own bundle. */
const LOADED = {
  main: { entry: 'src/cli/main.ts' },
  run: { entry: 'src/supervise/run.ts' },
  amqp: { entry: 'src/amqp/index.ts' },
  signed: { entry: 'src/amqp/signed.ts' },
  spool: { entry: 'src/spool/index.ts' },
  slurm: { entry: 'src/supervise/slurm.ts' },
  'within-allowed': { entry: 'src/supervise/within-allowed.ts' },
  'report-file': { entry: 'src/supervise/report-file.ts' },
  tools: { entry: 'src/cli/tools.ts' },
  observe: { entry: 'src/cli/observe/index.ts' },
  print: { entry: 'src/print.ts' },
  'launch-failure': { entry: 'src/supervise/launch-failure.ts' },
  adopt: { entry: 'src/cli/adopt.ts' },
  agent: { entry: 'src/agent/index.ts' },
  collector: { entry: 'src/cli/collector.ts' },
  otel: { entry: 'src/observe/collector/otel/otel.ts' },
  notice: { entry: 'src/supervise/notice.ts' },
  fallbacks: { entry: 'src/supervise/fallbacks.ts' },
  yaml: { contents: "export * from 'yaml';" },
};

/** Plain Node code, which is loaded without a code cache. */
export const PLAIN = ['boot.cjs', 'renew.cjs', 'unboxed.cjs'];

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const common = {
  define: { PROC_BOX_VERSION: JSON.stringify(version) },
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  charset: 'ascii', // the loader decodes latin1
  legalComments: 'none', // dist/THIRD-PARTY-LICENSES.txt has them whole
  metafile: true,
  logLevel: 'warning',
};

export async function bundle() {
  const dist = join(root, 'dist');
  mkdirSync(dist, { recursive: true });
  // V8 would accept a cache for another text of the same length.
  for (const name of readdirSync(dist)) if (/\.(cjs|cache|js)$/.test(name)) rmSync(join(dist, name));
  for (const name of PLAIN) copyFileSync(join(root, 'src/cli', name), join(dist, name));
  const results = await Promise.all([...Object.entries(LOADED).map(loadedBundle), submitter(), page()]);
  for (const name of Object.keys(LOADED)) requireAscii(join(dist, `${name}.cjs`));
  const inputs = results.flatMap((result) => Object.keys(result?.metafile.inputs ?? {}));
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), licences(inputs));
}

/**
 * V8 keeps a source with one character beyond Latin-1 as UTF-16, and loading it takes twice as long. esbuild escapes
 * strings, but leaves regular expressions as they are: write \u00b5 there.
 */
function requireAscii(file) {
  const found = existsSync(file) && /[^\0-\x7f].{0,20}/.exec(readFileSync(file, 'utf8'))?.[0];
  if (found) throw new Error(`${file} is not pure ASCII: ${found}`);
}

/** A bundle is one function expression, which the loader calls and for which the code cache is made. */
async function loadedBundle([name, { entry, contents }]) {
  if (entry && !existsSync(join(root, entry))) return undefined;
  return await build({
    ...common,
    ...(entry ? { entryPoints: [entry] } : { stdin: { contents, resolveDir: root } }),
    outfile: join('dist', `${name}.cjs`),
    format: 'cjs',
    minify: true,
    // No "use strict" for the whole bundle: hostile headers can make rascal set properties of a string, which throws in strict
    // mode and would cost the connection.
    tsconfigRaw: { compilerOptions: { target: 'ES2022', verbatimModuleSyntax: true } },
    supported: { 'dynamic-import': false }, // vm.Script has no import(), so it becomes require()
    banner: { js: '(function (exports, require, module, __filename, __dirname, loadBundle) {' },
    footer: { js: '})' },
    // PostgreSQL's own library would be a second way to the same server.
    external: ['pg-native'],
    plugins: [nativeByPath, leanRascal],
  });
}

/** A separate program, which runs on hosts where jobs are submitted. */
async function submitter() {
  return await build({
    ...common,
    entryPoints: ['src/cli/qsub/index.ts'],
    outfile: 'dist/qsub.js',
    format: 'esm',
    minify: true,
  });
}

/** The native part lies beside dist/ in the checkout and in the tarball. */
const nativeByPath = {
  name: 'native-by-path',
  setup: (build) =>
    build.onResolve({ filter: /^cgroup-utils-native$/ }, () => ({ path: '../native/index.js', external: true })),
};

/** Imports of rascal and amqplib that a box does not need at once, with the importing folder. Each shim says why it is safe. */
const SHIMS = {
  xregexp: '/rascal/lib/config',
  debug: '/rascal/lib',
  http: '/rascal/lib/management',
  cluster: '/rascal/lib/counters',
  crypto: '/rascal/lib/amqp',
  uuid: '/rascal/lib',
  'node:tls': '/amqplib/lib',
};

const leanRascal = {
  name: 'lean-rascal',
  setup(build) {
    build.onResolve({ filter: /^(xregexp|debug|http|cluster|crypto|uuid|node:tls)$/ }, ({ path, importer }) =>
      importer.includes(`/node_modules${SHIMS[path]}`)
        ? { path: join(root, 'scripts/build/shims', `${path.replace('node:', '')}.cjs`) }
        : undefined,
    );
  },
};

/** The licence texts of every package that went into a bundle. */
function licences(inputs) {
  const packages = new Set(
    inputs.map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean),
  );
  return [...packages]
    .sort()
    .map((folder) => licence(join(root, folder)))
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .sort();
  const body = texts.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return `${name} ${version} (${typeof license === 'string' ? license : (license?.type ?? 'see its package')})\n\n${body}\n`;
}
