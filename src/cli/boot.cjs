'use strict';
// The front end starts Node with this file. It loads the bundles of dist/ with V8's code caches, so that a launch compiles
// nothing. Everything in here is on the launch path: keep it small.
const { Script } = require('node:vm');

const CACHE_MAX_BYTES = 64 * 1024 * 1024;
const NODE_MAJOR = 20;
const loaded = new Map();
/** Exports of the native part. It also reads the files, because node:fs would have to compile code for that first. */
let native;
/** What writes stale caches anew; undefined while none is stale. */
let renewal;

/**
 * Loads dist/<name>.cjs once and returns its exports. Bundles are pure ASCII. A missing cache only costs time, and V8 itself
 * rejects a cache that another version or other flags have made.
 */
function loadBundle(name) {
  let module = loaded.get(name);
  if (module !== undefined) return module.exports;
  module = { exports: {} };
  loaded.set(name, module);
  const filename = `${__dirname}/${name}.cjs`;
  const source = native.readText(filename);
  if (source === null) {
    loaded.delete(name);
    throw new Error(`cannot read ${filename}`);
  }
  const cachedData = native.readFile(`${filename}.cache`, CACHE_MAX_BYTES).bytes;
  const script = new Script(source, { filename, cachedData });
  if (cachedData === undefined || script.cachedDataRejected) renew({ script, source, filename });
  script.runInThisContext()(module.exports, load, module, filename, __dirname, loadBundle);
  return module.exports;
}

/** require() for bundles. It knows the native part, because searching for that takes longer than loading it. */
function load(name) {
  return name === '../native/index.js' ? native : require(name);
}

/** A cache is missing, or another Node has made it. */
function renew(stale) {
  try {
    renewal ??= require('./renew.cjs').renewal(native, __dirname);
    native = renewal.native;
    renewal.add(stale);
  } catch {
    // The file is missing, or the folder cannot be looked at: the launch is slower, and works.
  }
}

function tooOld() {
  const message = `Node ${process.version} at ${process.execPath} is too old`;
  const remedy = `install Node ${NODE_MAJOR} or newer, or the package proc-box-node, which provides one for proc_box alone`;
  return Object.assign(new Error(message), { remedy });
}

/** @param error says what is broken, and in `remedy` what to do about it */
loadBundle.unboxed = (error) => {
  const unboxed = require('./unboxed.cjs');
  native ??= unboxed.files;
  unboxed.run(error, loadBundle);
};

try {
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR) throw tooOld();
  const module = { exports: {} };
  process.dlopen(module, `${__dirname}/../native/build/Release/cgroup_utils_native.node`);
  native = module.exports;
  loadBundle('main');
} catch (error) {
  loadBundle.unboxed(error);
}
