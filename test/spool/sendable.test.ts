import t from 'tap';
import type { MessageRecord } from '../../src/spool/record.js';
import { unsendable } from '../../src/spool/sendable.js';

const why = (options: MessageRecord['options'], more: Partial<MessageRecord> = {}) =>
  unsendable({ n: 1, exchange: 'amq.topic', routingKey: 'k', options, body: '', ...more });
const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) });

t.test('what AMQP can carry is sent', async (t) => {
  const cases: Record<string, MessageRecord['options']> = {
    nothing: {},
    'the longest short text': { messageId: 'x'.repeat(255) },
    'the bounds of numbers': { priority: 255, timestamp: 8.64e12, expiration: '4294967295' },
    zeros: { priority: 0, timestamp: 0, expiration: '0' },
    'headers of every kind': { headers: { a: 1, b: [1, [2, { c: null }]], d: true, e: 'x' } },
    'headers as deep as may be': { headers: nested(3) },
    'no headers': { headers: {} },
  };
  for (const [name, options] of Object.entries(cases)) t.equal(why(options), undefined, name);
});

t.test('what would end the channel for everybody is refused, with the reason', async (t) => {
  const long = 'ä'.repeat(128);
  const cases: readonly (readonly [string | undefined, string | RegExp])[] = [
    [why({}, { exchange: long }), 'its exchange has 256 bytes: AMQP carries at most 255'],
    [why({}, { routingKey: long }), 'its routing key has 256 bytes: AMQP carries at most 255'],
    ...['contentType', 'messageId', 'type', 'appId'].map(
      (name) => [why({ [name]: long }), `its ${name} has 256 bytes: AMQP carries at most 255`] as const,
    ),
    [why({ priority: 256 }), 'its priority is 256: expected 0 to 255'],
    [why({ priority: -1 }), 'its priority is -1: expected 0 to 255'],
    [why({ priority: 1.5 }), 'its priority is 1.5: expected 0 to 255'],
    [why({ timestamp: 8.64e12 + 1 }), 'its timestamp 8640000000001 is not a time in seconds'],
    [why({ timestamp: -1 }), 'its timestamp -1 is not a time in seconds'],
    ...['4294967296', '-1', '1.5', 'soon', '', '00000000001'].map(
      (expiration) => [why({ expiration }), 'its expiration is not a number of milliseconds below 2^32'] as const,
    ),
    [why({ headers: nested(4) }), 'its headers are nested deeper than 4'],
    [why({ headers: { a: [[[[]]]] } }), 'its headers are nested deeper than 4'],
    [why({ headers: { '!': 'int' } }), /nested deeper/],
    [why({ headers: { [long]: 1 } }), /nested deeper/],
    [why({ headers: { a: 'x'.repeat(2048) } }), 'its headers have more than 2048 characters'],
  ];
  for (const [found, expected] of cases)
    typeof expected === 'string' ? t.equal(found, expected) : t.match(found, expected);
});
