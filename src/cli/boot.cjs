'use strict';
// The file that the front end starts Node with. It loads bundles of dist/ with V8's code cache beside them, so that
// launching compiles nothing. Everything in here is on the launch path: keep it this small.
const { Script } = require('node:vm');

const CACHE_MAX_BYTES = 64 * 1024 * 1024;
const loaded = new Map();
/** Exports of the native part: it reads the files, since what node:fs takes for that would have to be compiled first. */
let native;

/**
 * Loads dist/<name>.cjs once and returns its exports. Bundles are pure ASCII. A missing cache costs time, never
 * correctness; V8 itself refuses one of another version or of other flags.
 */
function loadBundle(name) {
  let module = loaded.get(name);
  if (module !== undefined) return module.exports;
  module = { exports: {} };
  loaded.set(name, module);
  const filename = `${__dirname}/${name}.cjs`;
  const source = native.readText(filename);
  if (source === null) throw new Error(`cannot read ${filename}`);
  const cachedData = native.readFile(`${filename}.cache`, CACHE_MAX_BYTES).bytes;
  const script = new Script(source, { filename, cachedData });
  script.runInThisContext()(module.exports, load, module, filename, __dirname, loadBundle);
  return module.exports;
}

/** require() for bundles: the native part is found without a search, which takes longer than loading it. */
function load(name) {
  return name === '../native/index.js' ? native : require(name);
}

/** @param error what is broken; `remedy`: what to do about it */
loadBundle.unboxed = (error) => {
  const unboxed = require('./unboxed.cjs');
  native ??= unboxed.files;
  unboxed.run(error, loadBundle);
};

try {
  const module = { exports: {} };
  process.dlopen(module, `${__dirname}/../native/build/Release/cgroup_utils_native.node`);
  native = module.exports;
  loadBundle('main');
} catch (error) {
  loadBundle.unboxed(error);
}
