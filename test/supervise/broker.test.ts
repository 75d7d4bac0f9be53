import t from 'tap';
import type { BrokerLink, Closed } from '../../src/amqp/index.js';
import type { Box } from '../../src/box/box.js';
import type { Outgoing } from '../../src/model/types.js';
import { type BrokerLoaders, createBroker } from '../../src/supervise/broker.js';
import { sample, specFor } from '../fixtures/broker.js';
import { linesLogger } from '../fixtures/light.js';

const box = {} as Box;
const NOTHING_LEFT: Closed = { undelivered: 0, spooled: null, given: 'time' };

/** A broker whose link notes what it is given, and closes as the test says. */
function brokered(closed: Closed = NOTHING_LEFT, uris: readonly string[] = ['amqp://h']) {
  const published: string[] = [];
  const waits: number[] = [];
  let loaded = 0;
  const link: BrokerLink = {
    publish: ({ messageId }: Outgoing) => published.push(messageId),
    audit: (event) => published.push(`audit ${event.command}`),
    dropped: 7,
    state: () => ({ outbox: 'of the link' }) as unknown as ReturnType<BrokerLink['state']>,
    async close(deadlineMs) {
      waits.push(deadlineMs);
      return closed;
    },
  };
  const load = {
    loadAmqp: () => {
      loaded++;
      return { connectBroker: () => link };
    },
    loadSigned: () => t.fail('nobody has asked for it'),
    loadSpool: () => t.fail('nobody has asked for it'),
  } as unknown as BrokerLoaders;
  const { log, lines } = linesLogger();
  return { broker: createBroker(specFor(uris), log, load), published, waits, lines, loaded: () => loaded, load };
}

t.test('messages wait until the broker is loaded, which is after the job has started', async (t) => {
  const { broker, published, loaded } = brokered();
  broker.publish(sample('b', 1));
  broker.publish(sample('b', 2));
  t.strictSame([broker.dropped(), broker.state()], [0, null]);
  broker.connect(box);
  t.equal(loaded(), 0, 'not in the turn in which the job starts');
  await broker.close(0);
  t.strictSame([loaded(), published], [1, ['b-1', 'b-2']]);
  broker.publish(sample('b', 3));
  t.strictSame(published, ['b-1', 'b-2', 'b-3']);
  t.strictSame([broker.dropped(), broker.state()], [7, { outbox: 'of the link' }]);
});

t.test('without a broker nothing is loaded, kept or waited for', async (t) => {
  const { broker, loaded, waits, lines } = brokered(NOTHING_LEFT, []);
  broker.publish(sample('b', 1));
  broker.connect(box);
  await broker.close(1000);
  t.strictSame([loaded(), waits, lines], [0, [], []]);
});

t.test('a box that ends before its broker was to be loaded has nothing to close', async (t) => {
  const { broker, waits, lines } = brokered();
  broker.publish(sample('b', 1));
  await broker.close(1000);
  t.strictSame([waits, lines], [[], []]);
});

t.test('a bundle that cannot be loaded leads to an error line, and the job goes on', async (t) => {
  const { log, lines } = linesLogger();
  const loadAmqp = () => {
    throw new Error('dist/amqp.cjs: ENOENT');
  };
  const load = { loadAmqp } as unknown as BrokerLoaders;
  const broker = createBroker(specFor('amqp://h'), log, load);
  broker.connect(box);
  broker.publish(sample('b', 1));
  await broker.close(1000);
  t.match(lines, [
    /^proc_box: error: the box goes on without remote control and statistics: .*dist\/amqp\.cjs: ENOENT/,
  ]);
});

t.test('undelivered messages are reported with a remedy', async (t) => {
  for (const [closed, said] of [
    [NOTHING_LEFT, []],
    [{ undelivered: 3, spooled: null, given: 'nothing: not asked' }, []],
    [
      { undelivered: 3, spooled: null, given: 'time' },
      [
        /^proc_box: warn: 3 messages were not delivered within 2 s; --flush sets how long a box waits for the broker at its end$/,
      ],
    ],
    [
      { undelivered: 3, spooled: null, given: 'nothing: no login' },
      [/3 messages were not delivered: the broker refused the login; the box did not wait for it at its end$/],
    ],
    [
      { undelivered: 3, spooled: '/spool/1/b.spool', given: 'time' },
      [
        /within 2 s; they are in \/spool\/1\/b\.spool: the next box of this user or "proc_box spool flush" delivers them$/,
      ],
    ],
  ] as const) {
    const { broker, lines, waits } = brokered(closed);
    broker.connect(box);
    await broker.close(2000);
    t.strictSame(waits, [2000]);
    t.equal(lines.length, said.length);
    t.match(lines, said);
  }
});
