'use strict';
// amqplib needs it for amqps only: loaded at first use.
module.exports = { connect: (...args) => require('node:tls').connect(...args) };
