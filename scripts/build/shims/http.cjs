'use strict';
// rascal's client of the management API, which a box asks for nothing: loaded at its first use.
module.exports = { request: (...args) => require('node:http').request(...args) };
