'use strict';
// Preloaded into one real launch by scripts/code-cache.mjs: when the wrapper ends, it writes the code cache of every
// bundle that was loaded, with the functions that were called.
const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');

const scripts = new Map();
const Script = vm.Script;
vm.Script = class extends Script {
  constructor(source, options) {
    super(source, { ...options, cachedData: undefined });
    scripts.set(options.filename, this);
  }
};

const native = require(join(__dirname, '..', 'native', 'index.js'));
for (const name of ['exitNow', 'dieOf']) {
  const end = native[name];
  native[name] = (value) => {
    writeCaches();
    return end(value);
  };
}
process.on('exit', writeCaches);

function writeCaches() {
  for (const [filename, script] of scripts) {
    writeFileSync(`${filename}.cache.new`, script.createCachedData());
    renameSync(`${filename}.cache.new`, `${filename}.cache`);
  }
  scripts.clear();
}
