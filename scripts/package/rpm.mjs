/** Makes an rpm from a staged tree with rpmbuild. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../dev/setup.mjs';
import { wrap } from './deb.mjs';
import { RPM } from './scriptlets.mjs';
import { listFiles, setTimes } from './stage.mjs';

const ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64' };

/** The package was staged: nothing is compiled, stripped, searched for requirements, or dated by the clock. */
const MACROS = {
  _buildhost: 'localhost',
  _build_id_links: 'none',
  use_source_date_epoch_as_buildtime: '1',
  clamp_mtime_to_source_date_epoch: '1',
  debug_package: '%{nil}',
  __os_install_post: '%{nil}',
  _use_internal_dependency_generator: '1',
};

/** As makeDeb(). @returns {string} the path of the package */
export function makeRpm({ name, row, tree, configuration, version, release, glibc, epochSec, work, out }) {
  const architecture = ARCHITECTURES[process.arch];
  setTimes(tree, epochSec);
  const spec = join(work, `${name}.spec`);
  const requires = [`libc.so.6(GLIBC_${glibc})(64bit)`, ...row.rpm.requires];
  const text = [
    `Name: ${name}`,
    `Version: ${version}`,
    `Release: ${release}`,
    `Summary: ${row.summary[0].toUpperCase()}${row.summary.slice(1)}`,
    'License: MIT',
    'URL: https://proc-box.invalid/',
    'AutoReqProv: no',
    ...requires.map((one) => `Requires: ${one.replace('VERSION', `${version}-${release}`)}`),
    '',
    '%description',
    row.description.map((paragraph) => wrap(paragraph).join('\n')).join('\n\n'),
    '',
    '%install',
    `cp -a ${tree}/. %{buildroot}/`,
    '',
    RPM[name]?.() ?? '',
    '%files',
    ...owned(tree, configuration),
    '',
    '%changelog',
    `* ${changelogDate(epochSec)} proc_box maintainers <maintainers@proc-box.invalid> - ${version}-${release}`,
    "- Built by npm run package; see proc_box's own changelog for the changes.",
    '',
  ];
  writeFileSync(spec, text.join('\n'));
  const top = join(work, 'rpm');
  mkdirSync(top, { recursive: true });
  const payload = row.node === undefined ? 'w6.xzdio' : 'w9.zstdio';
  const defines = Object.entries({ ...MACROS, _binary_payload: payload, _topdir: top }).flatMap(([key, value]) => [
    '--define',
    `${key} ${value}`,
  ]);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epochSec) };
  run('rpmbuild', ['-bb', '--quiet', '--nodeps', '--target', `${architecture}-linux`, ...defines, spec], {
    env,
    stdio: ['ignore', 'ignore', 2],
  });
  const folder = join(top, 'RPMS', architecture);
  const [file] = readdirSync(folder).filter((one) => one.startsWith(`${name}-${version}-`));
  mkdirSync(out, { recursive: true });
  renameSync(join(folder, file), join(out, file));
  rmSync(top, { recursive: true });
  return join(out, file);
}

/** Files, and the folders that are ours alone. */
function owned(tree, configuration) {
  const own = new Set();
  const lines = listFiles(tree).map((file) => {
    for (let at = file; /\/(?:proc_box|proc-box[^/]*|proc_box-agent\.service\.d)\//.test(at); ) {
      at = at.slice(0, at.lastIndexOf('/'));
      if (statSync(join(tree, at)).isDirectory()) own.add(at);
    }
    if (configuration.includes(file)) return `%config(noreplace) "${file}"`;
    if (file.startsWith('/usr/share/man/')) return `%doc "${file}"`;
    return `${file.startsWith('/usr/share/doc/') ? '%doc ' : ''}"${file}"`;
  });
  return ['%defattr(-,root,root,-)', ...[...own].sort().map((folder) => `%dir "${folder}"`), ...lines];
}

function changelogDate(epochSec) {
  const [weekday, day, month, year] = new Date(epochSec * 1000).toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${day} ${year}`;
}
