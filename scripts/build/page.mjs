/**
 * Makes the collector's page in dist/page: one document, one script and one style sheet, without a request to any other host.
 * Nothing of it is on a box's path: the collector serves these files as they are.
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from '../dev/setup.mjs';

const source = 'src/observe/page';

export async function page() {
  const target = join(root, 'dist/page');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of ['index.html', 'icon.svg']) copyFileSync(join(root, source, name), join(target, name));
  return await build({
    absWorkingDir: root,
    entryPoints: { page: join(source, 'main.tsx') },
    outdir: target,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2022', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none', // dist/THIRD-PARTY-LICENSES.txt has them whole
    metafile: true,
    logLevel: 'warning',
  });
}
