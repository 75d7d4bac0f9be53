'use strict';
// rascal needs node:crypto only to encrypt messages. Loading it takes 5 ms, so it loads at first use.
const late =
  (name) =>
  (...args) =>
    require('node:crypto')[name](...args);

for (const name of ['randomBytes', 'createCipheriv', 'createDecipheriv']) exports[name] = late(name);
