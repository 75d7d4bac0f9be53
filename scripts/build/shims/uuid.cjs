'use strict';
// uuid's version 4, RFC 9562, version 4 from getrandom(2); the real one loads node:crypto.
const { randomHex } = require('cgroup-utils-native');

exports.v4 = () => {
  const hex = randomHex(16);
  const variant = '89ab'[Number.parseInt(hex[16], 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
};
