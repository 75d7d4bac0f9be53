/**
 * Test programs as plain JavaScript: loading TypeScript in each of some hundred programs would take a second of CPU time
 * apiece, and loading tap's hundred modules a quarter of one. Every file keeps its own `import.meta.url`, so a test finds its neighbours where its source lies.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const FOLDER = '.tap/compiled';
/** In a folder whose frames tap leaves out of stack traces. */
const TAP = join(FOLDER, 'node_modules/@tapjs/tap.mjs');

/**
 * @param {string[]} files paths from `cwd`
 * @param {string} cwd the checkout
 * @returns {Promise<Map<string, string>>} the program of each file; one that does not compile is not in it
 */
export async function compileTests(files, cwd) {
  const programs = new Map(files.map((file) => [file, join(FOLDER, file.replace(/\.ts$/, '.mjs'))]));
  const compile = (entryPoints) =>
    build({
      entryPoints: entryPoints.map((file) => join(cwd, file)),
      absWorkingDir: cwd,
      outbase: cwd,
      outdir: join(cwd, FOLDER),
      outExtension: { '.js': '.mjs' },
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      sourcesContent: false,
      keepNames: true,
      logLevel: 'silent',
      plugins: [ownPlaces, packagesByPath, bundledTap],
    });
  await bundleTap(cwd);
  try {
    await compile(files);
  } catch {
    // One file with an error fails all of them: the others still get their programs.
    for (const file of files) await compile([file]).catch(() => programs.delete(file));
  }
  return programs;
}

async function bundleTap(cwd) {
  await build({
    stdin: { contents: "export * from 'tap'; export { default } from 'tap';", resolveDir: cwd },
    outfile: join(cwd, TAP),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    logLevel: 'silent',
  });
}

/** Not where it is text in quotes. */
const own = (property) => new RegExp(`(?<!['"\`])\\bimport\\.meta\\.${property}\\b(?!['"\`])`, 'g');

const ownPlaces = {
  name: 'own-places',
  setup: (build) =>
    build.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => ({
      loader: path.endsWith('.ts') ? 'ts' : 'js',
      contents: readFileSync(path, 'utf8')
        .replaceAll(own('url'), JSON.stringify(pathToFileURL(path).href))
        .replaceAll(own('dirname'), JSON.stringify(dirname(path))),
    })),
};

/** The inside of a package, which a file names by its path, must be the same module as the package's own. */
const packagesByPath = {
  name: 'packages-by-path',
  setup: (build) =>
    build.onResolve({ filter: /^\..*\/node_modules\// }, ({ path, resolveDir }) => ({
      path: pathToFileURL(join(resolveDir, path)).href,
      external: true,
    })),
};

const bundledTap = {
  name: 'bundled-tap',
  setup: (build) =>
    build.onResolve({ filter: /^tap$/ }, () => ({
      path: pathToFileURL(join(build.initialOptions.absWorkingDir, TAP)).href,
      external: true,
    })),
};
