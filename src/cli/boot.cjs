'use strict';
// The file that the front end starts Node with. It loads bundles of dist/ with V8's code cache beside them, so that
// launching compiles nothing. Everything in here is on the launch path: keep it this small.
const { Script } = require('node:vm');

const CACHE_MAX_BYTES = 64 * 1024 * 1024;
const loaded = new Map();
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
  const { readFile, readText } = files();
  const source = readText(filename);
  if (source === null) throw new Error(`cannot read ${filename}`);
  const script = new Script(source, { filename, cachedData: readFile(`${filename}.cache`, CACHE_MAX_BYTES).bytes });
  script.runInThisContext()(module.exports, load, module, filename, __dirname, loadBundle);
  return module.exports;
}

/** require() for bundles. */
function load(name) {
  return name === '../native/index.js' ? addon() : require(name);
}

/** The native part, without a search for it, which takes longer than loading it. */
function addon() {
  if (native === undefined) {
    const module = { exports: {} };
    process.dlopen(module, `${__dirname}/../native/build/Release/cgroup_utils_native.node`);
    native = module.exports;
  }
  return native;
}

/** The native part reads them: what node:fs takes for that would have to be compiled first. */
function files() {
  try {
    return addon();
  } catch {
    // It is what is broken.
    const { readFileSync } = require('node:fs');
    return { readText: (path) => readFileSync(path, 'latin1'), readFile: () => ({}) };
  }
}

try {
  loadBundle('main');
} catch (error) {
  require('./unboxed.cjs').run(error, loadBundle);
}
