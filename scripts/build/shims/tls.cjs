'use strict';
// amqplib needs node:tls only for amqps, so it loads at first use.
module.exports = { connect: (...args) => require('node:tls').connect(...args) };
