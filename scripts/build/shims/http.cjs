'use strict';
// rascal needs http for the management API, which a box does not use, so it loads at first use.
module.exports = { request: (...args) => require('node:http').request(...args) };
