/** Builds native/ with node-gyp when its sources have changed. Plain Node, because the install script of the npm package uses it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * @param {{ root: string, tell?: (message: string) => void }} options `root` is the package's folder
 * @returns {boolean} whether there was something to build
 * @throws Error with node-gyp's output when the build fails; its `remedy`, if it has one, says what to do
 */
export function buildNative({ root, tell = () => {} }) {
  const folder = join(root, 'native');
  const stamp = join(folder, 'build', '.stamp');
  const hash = hashOf(folder);
  const outputs = ['cgroup_utils_native.node', 'proc_box'].map((name) => join(folder, 'build', 'Release', name));
  if (outputs.every((path) => existsSync(path)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash)
    return false;
  tell('Building the native part ...');
  rmSync(stamp, { force: true });
  const own = headers();
  const args = [nodeGyp(), 'configure', 'build', '--jobs', 'max', ...own];
  // binding.gyp runs `node`, which must be the one that runs us.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env });
  const output = `${stdout}${stderr}`.replaceAll(/^gyp info .*\n/gm, '');
  if (status !== 0) {
    const error = new Error(`build the native part: node-gyp ended with ${status}\n${output}`);
    if (own.length === 0 && NO_HEADERS.test(output)) error.remedy = headersRemedy();
    throw error;
  }
  writeFileSync(stamp, hash);
  return true;
}

/** What node-gyp says if it cannot download the headers, or finds none in the folder that was named. */
const NO_HEADERS = /rolling back install|node_version\.h|node_api\.h|common\.gypi/;

function headersRemedy() {
  const folder = join(dirname(dirname(process.execPath)), 'include', 'node');
  return (
    `the headers of Node ${process.version} are missing: ${folder} does not have them, and node-gyp could not download them; ` +
    'install the package with the headers of this Node (Debian: libnode-dev; Fedora, RHEL: nodejs-devel), or unpack the archive ' +
    `node-${process.version}-headers.tar.gz of nodejs.org/dist/${process.version} and name its folder: export npm_config_nodedir=/path/to/node-${process.version}`
  );
}

/** The headers beside the installed Node, as in most installations, so that node-gyp needs no download. */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  const version = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(version)) return [];
  const part = (name) => new RegExp(`define NODE_${name}_VERSION (\\d+)`).exec(readFileSync(version, 'utf8'))?.[1];
  const found = `v${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
  return found === process.version ? [`--nodedir=${prefix}`] : [];
}

/** npm's node-gyp: the one that npm names in lifecycle scripts, otherwise the one of the npm beside this Node. */
function nodeGyp() {
  const prefix = dirname(dirname(process.execPath));
  const npm = ['lib', 'share'].map((name) =>
    join(prefix, name, 'node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'),
  );
  const candidates = [process.env.npm_config_node_gyp, ...npm].filter((path) => path && existsSync(path));
  if (candidates.length > 0) return candidates[0];
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch (cause) {
    throw new Error('build the native part: no node-gyp found; install npm, which contains it', { cause });
  }
}

function hashOf(folder) {
  const names = ['binding.gyp', 'index.js', 'node-flags.txt', 'package.json'];
  const sources = readdirSync(join(folder, 'src'), { recursive: true })
    .map((name) => `src/${name}`)
    .sort();
  // Node-API: what one Node has built fits all.
  const hash = createHash('sha256').update(process.arch);
  for (const name of [...names, ...sources]) {
    if (!/\.\w+$/.test(name) || !existsSync(join(folder, name))) continue;
    hash.update(`\0${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

/** Links `<root>/node/bin/node`, where the front end looks first, to the Node that runs us. A Node of the package's own stays. */
export function linkNode(root) {
  const link = join(root, 'node', 'bin', 'node');
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() ? readlinkSync(link) === process.execPath : found) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(`${link}.new`, { force: true });
  symlinkSync(process.execPath, `${link}.new`);
  renameSync(`${link}.new`, link);
}
