import { EventEmitter } from 'node:events';
import t from 'tap';
import { watchAlarms } from '../../src/amqp/alarms.js';
import type { Publisher } from '../../src/amqp/publisher.js';
import { notingLogger } from '../fixtures/broker.js';

t.test('the beginning and the end of an alarm are told and logged', async (t) => {
  const publisher = new EventEmitter();
  const { log, lines } = notingLogger();
  const seen: boolean[] = [];
  watchAlarms(publisher as unknown as Publisher, log, (blocked) => seen.push(blocked));
  publisher.emit('blocked', 'low on memory');
  publisher.emit('unblocked');
  t.strictSame(seen, [true, false]);
  t.equal(lines.length, 2);
});
