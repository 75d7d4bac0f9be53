'use strict';
// rascal needs node:cluster for counters of programs that fork workers. proc_box does not use them, so it loads at first use.
module.exports = {
  get isWorker() {
    return require('node:cluster').isWorker;
  },
  on: (...args) => require('node:cluster').on(...args),
};
