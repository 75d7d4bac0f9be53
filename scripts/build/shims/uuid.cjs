'use strict';
// A UUID of version 4 (RFC 9562) from getrandom(2). The real module loads node:crypto.
const { randomHex } = require('cgroup-utils-native');

exports.v4 = () => {
  const hex = randomHex(16);
  const variant = '89ab'[Number.parseInt(hex[16], 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
};
