import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { identity } from '../fixtures/samples.js';
import { readSchema, type SchemaName, schemaErrors } from '../fixtures/schemas.js';

const docs = new URL('../../docs/', import.meta.url);
const messages = readFileSync(new URL('messages.md', docs), 'utf8');
const eventHead = { version: 1, sequence: 1, time: '2026-11-23T16:42:42.333Z', identity, state: 'suspended' };
const asyncapi = parse(readFileSync(new URL('asyncapi.yaml', docs), 'utf8'));

t.test('the examples of docs/messages.md match their schemas', (t) => {
  const examples = [...messages.matchAll(/^```json (\w+)\n(.*?)^```$/gms)];
  t.ok(examples.length >= 6);
  for (const [, name, text] of examples) t.same(schemaErrors(name as SchemaName, text), [], `${name}`);
  t.end();
});

t.test('docs/messages.md names every key, value and code of the schemas', (t) => {
  for (const name of ['common', 'sample', 'event', 'command', 'answer'] as const) {
    const missing = [...words(readSchema(name))].filter((word) => !new RegExp(`\\b${word}\\b`).test(messages));
    t.same(missing, [], name);
  }
  t.end();
});

/** Names of properties and values of enumerations in a schema. */
function* words(schema: unknown): Generator<string> {
  if (typeof schema !== 'object' || schema === null) return;
  for (const [key, part] of Object.entries(schema)) {
    if (key === 'properties') yield* Object.keys(part);
    if (key === 'enum')
      yield* (part as unknown[]).filter((one): one is string => typeof one === 'string' && one !== '');
    yield* words(part);
  }
}

t.test('the schemas refuse what they do not know', (t) => {
  const [head, ping] = [
    { box: 'b', host: 'h', job: 'j' },
    { identity, state: 'running' },
  ];
  const wrong: readonly (readonly [SchemaName, unknown, string])[] = [
    ['command', { command: 'stpo' }, 'an unknown command'],
    ['command', { command: 'set_limit', arguments: ['x'] }, 'too few arguments'],
    ['command', { command: 'change_sample_rate' }, 'no arguments where one is needed'],
    ['command', { command: 'ping', arguments: ['x'] }, 'too many arguments'],
    ['command', { command: 'ping', target: { jib: 1 } }, 'an unknown target'],
    ['command', { command: 'ping', extra: 1 }, 'an unknown key'],
    ['answer', { ok: true, ...head, command: 'ping', result: {} }, 'a result of another command'],
    ['answer', { ok: true, ...head, command: 'suspend', result: { processes: 1, extra: 1 } }, 'an undocumented key'],
    ['answer', { ok: false, ...head, command: 'ping', result: ping }, 'a refusal without an error'],
    ['answer', { ok: false, ...head, command: 'ping', error: { code: 'oops', message: '' } }, 'an unknown code'],
    ['event', { event: 'suspended', by: { via: 'amqp' } }, 'an event without its head'],
    ['event', { ...eventHead, event: 'suspended', by: { via: 'amqp' }, extra: 1 }, 'an undocumented key of an event'],
    ['event', { ...eventHead, event: 'suspended', by: { via: 'mail' } }, 'an unknown requester'],
    ['event', { ...eventHead, event: 'vanished' }, 'an unknown event'],
    ['sample', {}, 'an empty sample'],
  ];
  for (const [name, message, what] of wrong) t.not(schemaErrors(name, message).length, 0, `${name}: ${what}`);
  t.same(schemaErrors('command', { command: 'kill', arguments: [15] }), []);
  t.same(schemaErrors('answer', { ok: true, ...head, command: 'ping', result: ping }), []);
  t.same(schemaErrors('event', { ...eventHead, event: 'suspended', by: { via: 'amqp' } }), []);
  t.end();
});

t.test('every reference of docs/asyncapi.yaml leads somewhere', (t) => {
  let count = 0;
  for (const reference of references(asyncapi)) {
    count++;
    if (!reference.startsWith('#/')) {
      t.doesNotThrow(() => JSON.parse(readFileSync(new URL(reference, docs), 'utf8')), reference);
      continue;
    }
    const target = reference
      .slice(2)
      .split('/')
      .reduce((node, key) => node?.[key], asyncapi);
    t.ok(target, reference);
  }
  t.ok(count > 10);
  t.end();
});

function* references(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, part] of Object.entries(node)) {
    if (key === '$ref') yield part as string;
    else yield* references(part);
  }
}

t.test('the examples of docs/asyncapi.yaml match their schemas', (t) => {
  for (const [name, message] of Object.entries<{ examples?: { payload: unknown }[] }>(asyncapi.components.messages)) {
    for (const { payload } of message.examples ?? []) t.same(schemaErrors(name as SchemaName, payload), [], name);
  }
  t.end();
});
