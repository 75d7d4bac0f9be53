'use strict';
// boot.cjs loads this file when a code cache is missing or V8 has refused it, as after an upgrade of Node. If we own the
// installation, we write the caches anew when we end: then they hold the functions that a launch calls. For anybody else
// nothing happens, and the launch is only slower.
const { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');

const MODE = 0o644;

/**
 * @param native exports of the addon, one of whose functions ends the process
 * @param folder that of the bundles
 * @returns {{ native: object, add: (script: { script: object, source: string, filename: string }) => void }}
 */
exports.renewal = (native, folder) => {
  const loaded = [];
  if (lstatSync(folder).uid !== process.geteuid()) return { native, add() {} };
  const before = (end) => (value) => {
    for (const one of loaded.splice(0)) write(one);
    return end(value);
  };
  return {
    native: { ...native, exitNow: before(native.exitNow), dieOf: before(native.dieOf) },
    add: (one) => loaded.push(one),
  };
};

/** V8 takes a cache for any text of the same length, so the text must still be ours: the package may have been upgraded. */
function write({ script, source, filename }) {
  const made = `${filename}.cache.${process.pid}`;
  try {
    const cache = script.createCachedData();
    if (readFileSync(filename, 'latin1') !== source) return;
    writeFileSync(made, cache, { flag: 'wx', mode: MODE });
    renameSync(made, `${filename}.cache`);
  } catch {
    // A read-only folder or a full disk. The next start may succeed.
    rmSync(made, { force: true });
  }
}
