'use strict';
// scripts/build/code-cache.mjs preloads this into real launches. When the wrapper ends, it writes the code cache of every loaded
// bundle: the functions that were called, and those already in the cache.
const { renameSync, writeFileSync } = require('node:fs');
const vm = require('node:vm');

const scripts = new Map();
const Script = vm.Script;
vm.Script = class extends Script {
  constructor(source, options) {
    super(source, options);
    scripts.set(options.filename, this);
  }
};

// src/cli/boot.cjs loads the addon with this, and the wrapper ends by one of its functions.
const { dlopen } = process;
process.dlopen = (module, ...rest) => {
  dlopen.call(process, module, ...rest);
  const { exitNow, dieOf } = module.exports;
  const recorded = (end) => (value) => {
    writeCaches();
    return end(value);
  };
  module.exports = { ...module.exports, exitNow: recorded(exitNow), dieOf: recorded(dieOf) };
};
process.on('exit', writeCaches);

function writeCaches() {
  for (const [filename, script] of scripts) {
    writeFileSync(`${filename}.cache.new`, script.createCachedData());
    renameSync(`${filename}.cache.new`, `${filename}.cache`);
  }
  scripts.clear();
}
