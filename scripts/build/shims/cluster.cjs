'use strict';
// rascal's counters for programs that fork workers, named by its index and used by nobody here: loaded at first use.
module.exports = {
  get isWorker() {
    return require('node:cluster').isWorker;
  },
  on: (...args) => require('node:cluster').on(...args),
};
