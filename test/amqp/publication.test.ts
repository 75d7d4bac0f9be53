import t from 'tap';
import { toPublication } from '../../src/amqp/publication.js';
import type { Controllable, Outgoing } from '../../src/model/types.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { jobIdentity } from '../fixtures/light.js';

const box = { identity: jobIdentity({ user: 'alice', host: 'n1.example' }) } as unknown as Controllable;
const spec = (more: object = {}) =>
  ({ exchange: 'x', statsKey: 's', eventsKey: 'e.{user}', ...more }) as unknown as BoxSpec;
const message = (kind: Outgoing['kind']): Outgoing => ({ kind, messageId: 'b-1', type: 't', timestamp: 7, body: '' });

t.test('samples and events have keys of their own', async (t) => {
  const publish = toPublication(spec(), box);
  const content = Buffer.from('{}');
  t.strictSame(publish(message('sample'), content), {
    exchange: 'x',
    routingKey: 's.n1.example',
    content,
    options: {
      persistent: true,
      contentType: 'application/json',
      messageId: 'b-1',
      timestamp: 7,
      type: 't',
      appId: 'proc_box',
    },
  });
  t.equal(publish(message('event'), content).routingKey, 'e.alice.n1.example');
});

t.test('a site may add properties, and changes none of ours but how long a message lasts', async (t) => {
  const statistics = { persistent: false, headers: { site: 's' }, messageId: 'forged', appId: 'other' };
  const publish = toPublication(spec({ rascalConfig: { publications: { statistics } } }), box);
  t.match(publish(message('sample'), Buffer.alloc(0)).options, {
    persistent: false,
    headers: { site: 's' },
    messageId: 'b-1',
    appId: 'proc_box',
  });
});
