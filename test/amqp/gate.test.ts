import t from 'tap';
import { type Admitted, brokerGate, onOwnRoute, userGate } from '../../src/amqp/gate.js';
import type { Delivery } from '../../src/amqp/message.js';
import { jobIdentity } from '../fixtures/light.js';

const identity = jobIdentity({ user: 'alice' });
const now = () => 1_700_000_000_000;
const FIELDS = { exchange: 'hpc', routingKey: 'k.job.1' };

function delivery(
  properties: Delivery['properties'] = {},
  body = '{"command":"kill"}',
  fields: object = FIELDS,
): Delivery {
  return { content: Buffer.from(body), fields, properties };
}

function verdict(admitted: Admitted | Promise<Admitted>): string {
  if (admitted instanceof Promise) throw new Error('these gates decide at once');
  const { outcome } = admitted;
  return outcome.kind === 'refusal' ? `${outcome.answer.error.code}: ${outcome.answer.error.message}` : outcome.kind;
}

t.test('a command counts where its sender has published it to the exchange and key of the box', async (t) => {
  const gate = onOwnRoute(brokerGate(identity, now), 'hpc', ['k', 'k.job.1']);
  t.equal(verdict(gate(delivery())), 'request');
  const detours: Record<string, Delivery> = {
    'another exchange': delivery({}, undefined, { ...FIELDS, exchange: 'other' }),
    'another key': delivery({}, undefined, { ...FIELDS, routingKey: 'k.job.2' }),
    'no fields': { content: Buffer.from('{}'), properties: {} },
    'a dead letter': delivery({ headers: { 'x-death': [] } }),
    CC: delivery({ headers: { CC: ['k'] } }),
    BCC: delivery({ headers: { BCC: ['k'] } }),
    'x-cc': delivery({ headers: { 'x-cc': 1 } }),
  };
  for (const [name, by] of Object.entries(detours))
    t.equal(
      verdict(gate(by)),
      'forged: the message came by a detour: publish it to the exchange of this box, with a key of this box, without CC or BCC',
      name,
    );
  t.equal(verdict(gate(delivery({ headers: { cc: 1, site: 's' } }))), 'request', "other headers are the site's");
  t.equal(verdict(gate(delivery({ headers: null }))), 'request');
});

t.test("by the broker's permissions everybody may command who was let through, over no other broker", async (t) => {
  const gate = brokerGate(identity, now);
  t.match(gate(delivery({ userId: 'bob', messageId: 'm' })), {
    outcome: { kind: 'request', name: 'kill' },
    by: { via: 'amqp', user: 'bob', messageId: 'm' },
  });
  for (const header of ['x-received-from', 'x-shovelled'])
    t.match(verdict(gate(delivery({ headers: { [header]: [] } }))), /^forged: .*shovel or a federation link/, header);
  t.match(verdict(gate(delivery({}, 'boo'))), /^not_json/);
  t.equal(verdict(gate(delivery({}, '{"command":"kill","target":{"job":"other"}}'))), 'ignored');
});

t.test('by rules a user may give the commands of a rule', async (t) => {
  const rules = [
    { users: ['ops-*'], commands: ['*'] },
    { users: ['{owner}'], commands: ['status', 'sus*'] },
  ];
  const gate = userGate(rules, identity, now);
  const give = (user: string | undefined, command: string) =>
    verdict(gate(delivery(user === undefined ? {} : { userId: user }, JSON.stringify({ command }))));
  t.equal(give('ops-1', 'kill'), 'request');
  t.equal(give('alice', 'status'), 'request');
  t.equal(give('alice', 'suspend'), 'request');
  t.equal(give('alice', 'kill'), 'forbidden: user "alice" may not give this command to this box');
  t.equal(give('bob', 'status'), 'forbidden: user "bob" may not give this command to this box');
  t.equal(
    give(undefined, 'status'),
    'forbidden: this box takes only commands with the property user_id, which the broker checks: set it to your user name',
  );
  t.match(verdict(gate(delivery({ userId: 'alice' }, 'boo'))), /^not_json/, 'what cannot be read is told first');
});
