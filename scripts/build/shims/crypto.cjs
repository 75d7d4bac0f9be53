'use strict';
// rascal encrypts messages where it is told to; loading node:crypto takes 5 ms: at first use.
const late =
  (name) =>
  (...args) =>
    require('node:crypto')[name](...args);

for (const name of ['randomBytes', 'createCipheriv', 'createDecipheriv']) exports[name] = late(name);
