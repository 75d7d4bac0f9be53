/** Makes a deb from a staged tree with dpkg-deb. */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { run } from '../dev/setup.mjs';
import { DEB } from './scriptlets.mjs';
import { linkOf, listFiles, setTimes, write } from './stage.mjs';

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };
const MAINTAINER = 'proc_box maintainers <maintainers@proc-box.invalid>';
const WIDTH = 79;

/**
 * @param {object} options
 * @param {string} options.name
 * @param {object} options.row of PACKAGES
 * @param {string} options.tree the staged files
 * @param {string[]} options.configuration absolute paths
 * @param {string} options.version with the release: `2.0.0-1`
 * @param {string} options.glibc the oldest one
 * @param {number} options.epochSec
 * @param {string} options.out
 * @returns {string} the path of the package
 */
export function makeDeb({ name, row, tree, configuration, version, glibc, epochSec, out }) {
  const architecture = ARCHITECTURES[process.arch];
  addDocs(tree, name, version, epochSec);
  const control = (file, text, mode) => write(join(tree, 'DEBIAN', file), text, mode);
  const depends = [`libc6 (>= ${glibc})`, ...row.deb.depends].map((one) => one.replace('VERSION', version));
  const files = listFiles(tree);
  const bytes = files.filter((file) => linkOf(tree + file) === undefined).map((file) => statSync(tree + file).size);
  control(
    'control',
    [
      `Package: ${name}`,
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      `Maintainer: ${MAINTAINER}`,
      `Installed-Size: ${Math.ceil(bytes.reduce((sum, size) => sum + size, 0) / 1024)}`,
      `Depends: ${depends.join(', ')}`,
      'Section: admin',
      'Priority: optional',
      `Description: ${row.summary}`,
      row.description
        .map((text) =>
          wrap(text)
            .map((line) => ` ${line}`)
            .join('\n'),
        )
        .join('\n .\n'),
      '',
    ].join('\n'),
  );
  if (configuration.length > 0) control('conffiles', `${configuration.join('\n')}\n`);
  control(
    'md5sums',
    files
      .filter((file) => linkOf(tree + file) === undefined && !configuration.includes(file))
      .map(
        (file) =>
          `${createHash('md5')
            .update(readFileSync(tree + file))
            .digest('hex')}  ${file.slice(1)}\n`,
      )
      .join(''),
  );
  for (const [file, text] of Object.entries(DEB[name]?.() ?? {}))
    control(file, text, file === 'triggers' ? 0o644 : 0o755);
  setTimes(tree, epochSec);
  mkdirSync(out, { recursive: true });
  const path = join(out, `${name}_${version}_${architecture}.deb`);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epochSec) };
  run('dpkg-deb', ['--root-owner-group', ...compression(row), '--build', tree, path], {
    env,
    stdio: ['ignore', 'ignore', 2],
  });
  return path;
}

/** A Node of 120 MB takes minutes with xz. */
function compression(row) {
  return row.node === undefined ? ['-Zxz', '--threads-max=1'] : ['-Zzstd', '-z9', '--threads-max=1'];
}

/** The changelog of the package, which every deb has. */
function addDocs(tree, name, version, epochSec) {
  const doc = join(tree, 'usr/share/doc', name);
  const date = new Date(epochSec * 1000).toUTCString().replace('GMT', '+0000');
  write(
    join(doc, 'changelog.Debian.gz'),
    gzipSync(
      `${name} (${version}) unstable; urgency=medium\n\n  * Built by npm run package; see proc_box's own changelog for the changes.\n\n -- ${MAINTAINER}  ${date}\n`,
      { level: 9 },
    ),
  );
}

/** @returns lines of at most 78 characters */
export function wrap(text, width = WIDTH - 1) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
