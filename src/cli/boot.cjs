'use strict';
// The file that the front end starts Node with. It loads bundles of dist/ with V8's code cache beside them, so that
// launching compiles nothing. Everything in here is on the launch path: keep it this small.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const loaded = new Map();
let native;

/** Loads dist/<name>.cjs once and returns its exports. Bundles are pure ASCII: latin1 is decoded at no cost. */
function loadBundle(name) {
  let module = loaded.get(name);
  if (module !== undefined) return module.exports;
  module = { exports: {} };
  loaded.set(name, module);
  const filename = `${__dirname}/${name}.cjs`;
  const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readCache(filename) });
  script.runInThisContext()(module.exports, load, module, filename, __dirname, loadBundle);
  return module.exports;
}

/** require() for bundles: the native part is found without a search, which takes longer than loading it. */
function load(name) {
  if (name !== '../native/index.js') return require(name);
  if (native === undefined) {
    native = { exports: {} };
    process.dlopen(native, `${__dirname}/../native/build/Release/cgroup_utils_native.node`);
  }
  return native.exports;
}

/** A missing cache costs time, never correctness; V8 itself refuses one of another version or of other flags. */
function readCache(filename) {
  try {
    return readFileSync(`${filename}.cache`);
  } catch {
    return undefined;
  }
}

try {
  loadBundle('main');
} catch (error) {
  require('./unboxed.cjs').run(error, loadBundle);
}
