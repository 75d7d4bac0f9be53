import t from 'tap';
import { pack } from '../../src/amqp/packed.js';
import type { Outgoing } from '../../src/model/types.js';

const message = (body: string): Outgoing => ({ kind: 'sample', messageId: 'b-1', type: 't', timestamp: 7, body });

t.test('a message keeps its properties, and its body as bytes', async (t) => {
  for (const body of ['{"a":"ä"}', '', 'ä'.repeat(512), 'ä'.repeat(513), 'x'.repeat(100_000)]) {
    const packed = pack(message(body));
    t.match(packed, { kind: 'sample', messageId: 'b-1', type: 't', timestamp: 7 });
    t.equal(packed.body, body);
    t.equal(packed.content.length, Buffer.byteLength(body));
  }
});

t.test('a body is made once, and a packed message is packed', async (t) => {
  let made = 0;
  const packed = pack({
    ...message(''),
    get body() {
      made++;
      return 'x';
    },
  });
  const before = made;
  t.equal(pack(packed), packed);
  t.equal(packed.body + packed.body, 'xx');
  t.equal(made, before);
});

t.test('a long body has memory of its own, not a slice of a shared pool', async (t) => {
  t.equal(pack(message('x'.repeat(2000))).content.buffer.byteLength, 2000);
});
