import { createHash } from 'node:crypto';
import t from 'tap';
import { decode, encode, type MessageRecord } from '../../src/spool/record.js';
import { jobIdentity } from '../fixtures/light.js';

const identity = jobIdentity();
const message: MessageRecord = {
  n: 7,
  exchange: 'amq.topic',
  routingKey: 'k',
  options: { type: 't' },
  body: '{"a":"ä"}',
};
const head = { spool: 1, identity, from: 1, first: 3 } as const;

const withSum = (json: string) => `${createHash('sha256').update(json).digest('hex').slice(0, 16)} ${json}`;

t.test('what was written is read again', async (t) => {
  for (const record of [head, message, { through: 0 }, { through: 12 }]) {
    const text = encode(record);
    t.match(text, /^[0-9a-f]{16} \{.*\}\n$/, 'one line with its sum');
    t.strictSame(decode(text.trimEnd()), record);
  }
});

t.test('a damaged line is no record', async (t) => {
  const text = encode(message).trimEnd();
  const cases = {
    empty: '',
    'cut in its sum': text.slice(0, 10),
    'cut at the end': text.slice(0, -1),
    'a longer one': `${text} `,
    'another separator': text.replace(' ', '\t'),
    'another sum': text.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    'another body': text.replace('"a', '"b'),
  };
  for (const [name, damaged] of Object.entries(cases)) t.equal(decode(damaged), undefined, name);
});

t.test('a line whose sum fits is still no record where it was written by something else', async (t) => {
  const values: Record<string, unknown> = {
    'no object': 7,
    null: null,
    list: [message],
    'nothing of a record': {},
    'a negative number': { ...message, n: -1 },
    'half a number': { ...message, n: 1.5 },
    'a number beyond 2^53': { ...message, n: 2 ** 53 },
    'a body that is no text': { ...message, body: {} },
    'no routing key': { ...message, routingKey: undefined },
    'no exchange': { ...message, exchange: null },
    'no options': { ...message, options: undefined },
    'options that are a list': { ...message, options: [] },
    'an unknown option': { ...message, options: { replyTo: 'x' } },
    'an option that every object has': { ...message, options: { constructor: 'x' } },
    'an option of another type': { ...message, options: { timestamp: '5' } },
    'headers that are a list': { ...message, options: { headers: [] } },
    'other keys to route to': { ...message, options: { headers: { CC: ['x'] } } },
    'hidden keys to route to': { ...message, options: { headers: { BCC: ['x'] } } },
    'a mark that is no number': { through: 'x' },
    'a negative mark': { through: -1 },
    'another version': { ...head, spool: 2 },
    'a head without identity': { ...head, identity: null },
    'a head with half an identity': { ...head, identity: { job: '1' } },
    'a head without its first number': { ...head, first: undefined },
    'a head without where it begins': { ...head, from: '1' },
  };
  for (const [name, value] of Object.entries(values)) t.equal(decode(withSum(JSON.stringify(value))), undefined, name);
  t.equal(decode(withSum('{"through":')), undefined, 'no JSON');
  t.match(decode(withSum(JSON.stringify(message))), { n: 7 }, 'the same with what is a record');
});

t.test('a message may have the properties that a box gives it', async (t) => {
  const options = {
    persistent: true,
    contentType: 'application/json',
    messageId: 'b-1',
    timestamp: 1,
    type: 't',
    appId: 'proc_box',
    expiration: '60000',
    priority: 3,
    headers: { site: 's' },
  };
  t.match(decode(encode({ ...message, options }).trimEnd()), { options });
});
