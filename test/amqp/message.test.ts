import t from 'tap';
import { parseMessage, requesterOf } from '../../src/amqp/message.js';
import { fakeBox } from '../fixtures/broker.js';

const { identity } = fakeBox({ box: 'b1', cluster: 'c1' });
const NOW_MS = 1_700_000_000_000;

function parse(body: string | Buffer, properties: object = {}) {
  return parseMessage({ content: Buffer.from(body as string), properties }, identity, NOW_MS);
}

function codeOf(parsed: ReturnType<typeof parseMessage>): string {
  return parsed.kind === 'refusal' ? parsed.answer.error.code : parsed.kind;
}

t.test('reads a command', async (t) => {
  t.strictSame(parse('{"command":"kill","arguments":["15"]}'), { kind: 'request', name: 'kill', args: ['15'] });
});

t.test('takes what users of the old program send', async (t) => {
  for (const [body, args] of [
    ['{"command":"kill"}', []],
    ['{"command":"kill","arguments":null}', []],
    ['{"Command":"kill","ARGUMENTS":["9"]}', ['9']],
    ['{"command":"kill","arguments":[15]}', ['15']],
    ['{\n "command": "kill",\n "arguments": ["TERM",],\n}\n', ['TERM']],
    ['{"command":"kill","arguments":["a,]", "\\",}" , ] , }', ['a,]', '",}']],
  ] as const) {
    t.strictSame(parse(body), { kind: 'request', name: 'kill', args }, body);
  }
});

t.test('turns down what is no command, with a code', async (t) => {
  for (const [body, code] of [
    ['', 'not_json'],
    ['boo', 'not_json'],
    [Buffer.from([0x22, 0xff, 0x22]), 'not_json'],
    ['[]', 'bad_message'],
    ['null', 'bad_message'],
    ['"kill"', 'bad_message'],
    ['{}', 'bad_message'],
    ['{"command":7}', 'bad_message'],
    ['{"command":""}', 'bad_message'],
    ['{"command":"kill","argument":["15"]}', 'bad_message'],
    ['{"command":"kill","arguments":"15"}', 'bad_message'],
    ['{"command":"kill","arguments":[{}]}', 'bad_message'],
    ['{"command":"kill","arguments":[null]}', 'bad_message'],
    ['{"command":"kill","Command":"ping"}', 'bad_message'],
    ['{"command":"ping","target":"node1"}', 'bad_message'],
    ['{"command":"ping","target":{"hots":"node1"}}', 'bad_message'],
    ['{"command":"ping","target":{"host":["node1"]}}', 'bad_message'],
    ['{"__proto__":{"command":"kill"}}', 'bad_message'],
    [`{"command":"${'k'.repeat(65)}"}`, 'bad_message'],
    [`{"command":"kill","arguments":[${'"1",'.repeat(17)}]}`, 'bad_message'],
    [`{"command":"kill"}${' '.repeat(65_536)}`, 'too_large'],
  ] as const) {
    t.equal(codeOf(parse(body as string)), code, String(body).slice(0, 60));
  }
});

t.test('says which key was probably meant', async (t) => {
  t.match(parse('{"command":"kill","argument":["15"]}'), {
    answer: { error: { message: 'the body has an unknown key "argument"; did you mean "arguments"?' } },
  });
});

t.test('is for this box where every key of the target names it', async (t) => {
  for (const target of [
    {},
    { box: 'b1' },
    { job: '1234_7', user: 'alice' },
    { HOST: 'node1.example' },
    { step: 0 },
    { cluster: 'c1' },
  ]) {
    t.equal(parse(JSON.stringify({ command: 'ping', target })).kind, 'request', JSON.stringify(target));
  }
  for (const target of [{ box: 'b2' }, { job: '1234_7', user: 'bob' }, { task: '0' }, { step: 1 }, { cluster: 'c2' }]) {
    t.equal(parse(JSON.stringify({ command: 'ping', target })).kind, 'ignored', JSON.stringify(target));
  }
});

t.test('turns down forged routing headers, and not those that rascal sets itself', async (t) => {
  const body = '{"command":"ping"}';
  for (const rascal of [
    'boo',
    7,
    null,
    [],
    { restoreRoutingHeaders: true },
    { originalRoutingKey: 'k' },
    { recovery: {} },
  ]) {
    t.equal(codeOf(parse(body, { headers: { rascal } })), 'forged', JSON.stringify(rascal));
  }
  t.equal(
    parse(body, { headers: { rascal: { originalQueue: 'q', originalVhost: 'v', redeliveries: 0 } } }).kind,
    'request',
  );
});

t.test('turns down what is older than its expiration, with some seconds for clocks that differ', async (t) => {
  const at = (agoSeconds: number, expiration: unknown) =>
    codeOf(parse('{"command":"ping"}', { timestamp: NOW_MS / 1000 - agoSeconds, expiration }));
  t.equal(at(20, '10000'), 'expired');
  t.equal(at(12, '10000'), 'request');
  t.equal(at(20, undefined), 'request');
  t.equal(at(20, 'soon'), 'request');
});

t.test('names the sender only as far as the properties are text', async (t) => {
  t.strictSame(requesterOf({ messageId: 'm', userId: 'u' }), { via: 'amqp', messageId: 'm', user: 'u' });
  t.strictSame(requesterOf({ messageId: 7, userId: {} }), { via: 'amqp' });
});
