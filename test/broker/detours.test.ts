// test-timeout: 180s
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type amqp from 'amqplib';
import type { Options } from 'amqplib';
import t, { type Test } from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import { fakeBox, notingLogger, specFor, unique, until } from '../fixtures/broker.js';
import { type Channel, COMMANDS, publish, REPLY, rabbitSite, TOPIC } from '../fixtures/rabbitmq-site.js';

/** Every way on which alice gets a message past the topic permissions, on the real broker, and where it ends. */

const { attempt, connectionOf, uriOf } = await rabbitSite(t, {
  plugins: ['rabbitmq_consistent_hash_exchange', 'rabbitmq_random_exchange', 'rabbitmq_recent_history_exchange'],
});

interface Way {
  /** Gets a message with these properties to whoever has bound `key` at amq.topic. */
  readonly go: (key: string, properties: Options.Publish, body: string) => (channel: Channel) => Promise<unknown>;
  /** What the broker says to alice; otherwise it is delivered. */
  readonly refused?: string;
}

/** Since version 4 the broker checks the keys in CC and BCC as it checks the routing key. */
const { version } = connectionOf('alice').connection.serverProperties;
const CC: { refused?: string } = Number.parseInt(String(version), 10) >= 4 ? { refused: 'ACCESS_REFUSED' } : {};

const own = (kind: string) => `proc_box.ctl.alice.${unique(kind)}`;
const mine = () => `${COMMANDS}.user.alice.${unique('key')}`;

/** An exchange of alice's own, of that type, bound to amq.topic. */
const exchangeOf = (type: string, binding = '#', args: object = {}): Way => ({
  go: (key, properties, body) => async (channel) => {
    const exchange = own('exchange');
    await channel.assertExchange(exchange, type, { durable: false });
    await channel.bindExchange(TOPIC, exchange, binding === '=' ? key : binding, args);
    await publish(exchange, key, properties, body)(channel);
  },
});

/** A queue of alice's own that dead-letters to amq.topic. */
const deadLetter = (
  args: (key: string) => object,
  then: (channel: Channel, queue: string) => Promise<unknown> = async () => {},
  headers: (key: string) => object = () => ({}),
): Way => ({
  go: (key, properties, body) => async (channel) => {
    const queue = own('dlx');
    const from = mine();
    await channel.assertQueue(queue, {
      durable: true,
      expires: 60_000,
      arguments: { 'x-dead-letter-exchange': TOPIC, ...args(key) },
    });
    await channel.bindQueue(queue, TOPIC, from);
    await publish(TOPIC, from, { ...properties, headers: { ...properties.headers, ...headers(key) } }, body)(channel);
    await then(channel, queue);
  },
});
const reject = async (channel: Channel, queue: string) => {
  const got = await new Promise<amqp.ConsumeMessage>((resolve) => {
    void channel.consume(queue, (message) => message !== null && resolve(message));
  });
  channel.nack(got, false, false);
};
const to = (key: string) => ({ 'x-dead-letter-routing-key': key });

const WAYS: Readonly<Record<string, Way>> = {
  'a fanout exchange of her own': exchangeOf('fanout'),
  'a topic exchange of her own': exchangeOf('topic'),
  'a direct exchange of her own': exchangeOf('direct', '='),
  'a headers exchange of her own': exchangeOf('headers', '', { 'x-match': 'all' }),
  'a hashing exchange of her own': exchangeOf('x-consistent-hash', '1'),
  'a random exchange of her own': exchangeOf('x-random'),
  'an exchange with history of her own': exchangeOf('x-recent-history'),
  'two exchanges of her own, one after the other': {
    go: (key, properties, body) => async (channel) => {
      const [first, second] = [own('first'), own('second')];
      for (const name of [first, second]) await channel.assertExchange(name, 'topic', { durable: false });
      await channel.bindExchange(second, first, '#');
      await channel.bindExchange(TOPIC, second, '#');
      await publish(first, key, properties, body)(channel);
    },
  },
  'amq.topic as alternate exchange': {
    go: (key, properties, body) => async (channel) => {
      const exchange = own('alternate');
      await channel.assertExchange(exchange, 'topic', { durable: false, alternateExchange: TOPIC });
      await publish(exchange, key, properties, body)(channel);
    },
  },
  CC: {
    ...CC,
    go: (key, properties, body) => publish(TOPIC, mine(), { ...properties, headers: { CC: [key] } }, body),
  },
  BCC: {
    ...CC,
    go: (key, properties, body) => publish(TOPIC, mine(), { ...properties, headers: { BCC: [key] } }, body),
  },
  'CC over the exchange of answers': {
    ...CC,
    go: (key, properties, body) => async (channel) => {
      const from = `proc_box.reply.alice.${unique('key')}`;
      await channel.bindExchange(TOPIC, REPLY, from);
      await publish(REPLY, from, { ...properties, headers: { CC: [key] } }, body)(channel);
    },
  },
  'a dead letter by age': deadLetter((key) => ({ ...to(key), 'x-message-ttl': 1 })),
  'a dead letter by length': deadLetter((key) => ({ ...to(key), 'x-max-length': 0 })),
  'a dead letter by rejection': deadLetter(to, reject),
  'a dead letter of a quorum queue': deadLetter((key) => ({ ...to(key), 'x-queue-type': 'quorum' }), reject),
  'a dead letter with CC': {
    ...CC,
    ...deadLetter(
      () => ({ 'x-message-ttl': 1 }),
      undefined,
      (key) => ({ CC: [key] }),
    ),
  },
  'a dead letter with a history of her own making': deadLetter(
    (key) => ({ ...to(key), 'x-message-ttl': 1 }),
    undefined,
    () => ({ 'x-death': [] }),
  ),
  'the default exchange': {
    go: (key, properties, body) => publish('', key, properties, body),
    refused: 'ACCESS_REFUSED',
  },
  'the key itself': { go: (key, properties, body) => publish(TOPIC, key, properties, body), refused: 'ACCESS_REFUSED' },
};

/** What rascal reads from headers; a sender that knows it could have a delivery look as if it had another way. */
const DISGUISED = (key: string): Options.Publish => ({
  headers: { rascal: { restoreRoutingHeaders: true, originalExchange: TOPIC, originalRoutingKey: key } },
});

async function boxOfBob(t: Test, controlAuth: 'broker' | 'user') {
  const box = fakeBox({ user: 'bob', box: unique('box') });
  const spec = specFor(uriOf('bob'), {
    routingKeys: [`${COMMANDS}.user.{user}`],
    replyExchange: REPLY,
    controlAuth,
    controlRules: [{ users: ['{owner}', 'op-*'], commands: ['*'] }],
  });
  const link = connectBroker(spec, box, notingLogger().log);
  t.teardown(() => link.close(0));
  await until(() => link.state().control.state === 'up', 'the box is up');
  return box;
}

t.test(
  "no way around the routing key commands bob's box, and the way itself stays open to bob and operators",
  async (t) => {
    const key = `${COMMANDS}.user.bob`;
    const boxes = [await boxOfBob(t, 'broker'), await boxOfBob(t, 'user')];
    const refusedBy = (id: string) => boxes.flatMap(({ refusals }) => refusals.filter(({ by }) => by.messageId === id));
    for (const [what, { go, refused = 'allowed' }] of Object.entries(WAYS)) {
      for (const [how, properties] of [
        ['', {}],
        [' with her user_id', { userId: 'alice' }],
        [' in disguise', DISGUISED(key)],
      ] as const) {
        const id = unique('message');
        const said = await attempt('alice', go(key, { messageId: id, ...properties }, '{"command": "kill"}'));
        t.equal(said, refused, `${what}${how}: what the broker says`);
        if (said !== 'allowed') continue;
        await until(() => refusedBy(id).length >= boxes.length, `${what}${how}: both boxes have refused it`);
        t.ok(
          refusedBy(id).every(({ answer }) => !answer.ok && answer.error.code === 'forged'),
          `${what}${how}: as forged`,
        );
      }
    }
    t.equal(
      await attempt('alice', publish(TOPIC, mine(), { userId: 'bob', headers: { CC: [key] } })),
      CC.refused ?? 'PRECONDITION_FAILED',
      "and she cannot give bob's name",
    );
    for (const user of ['bob', 'op-olga']) {
      t.equal(await attempt(user, publish(TOPIC, key, { userId: user, messageId: user })), 'allowed');
      await until(
        () => boxes.every(({ executed }) => executed.some(({ by }) => by.messageId === user)),
        `${user} commands it`,
      );
    }
    for (const { executed } of boxes)
      t.strictSame(
        executed.map(({ by }) => by.user),
        ['bob', 'op-olga'],
      );
  },
);

t.test("no way lets alice read bob's commands through an exchange of her own", async (t) => {
  for (const key of [`${COMMANDS}.user.bob`, `${COMMANDS}.#`, '#', `${COMMANDS}.user.*`]) {
    const way = async (channel: Channel) => {
      const exchange = own('reader');
      await channel.assertExchange(exchange, 'fanout', { durable: false });
      await channel.bindExchange(exchange, TOPIC, key);
    };
    t.equal(await attempt('alice', way), 'ACCESS_REFUSED', key);
  }
});

t.test('what comes over a link from another broker needs more than --control-auth broker', async (t) => {
  const key = `${COMMANDS}.user.bob`;
  const [trusting, checking] = [await boxOfBob(t, 'broker'), await boxOfBob(t, 'user')];
  for (const header of ['x-received-from', 'x-shovelled']) {
    const properties = { userId: 'op-olga', messageId: header, headers: { [header]: [] } };
    t.equal(await attempt('op-olga', publish(TOPIC, key, properties)), 'allowed');
    await until(() => trusting.refusals.some(({ by }) => by.messageId === header), `${header}: refused`);
    await until(() => checking.executed.some(({ by }) => by.messageId === header), `${header}: the broker vouches`);
  }
  t.equal(trusting.executed.length, 0);
});

t.test("statistics in bob's name are told by the check that the docs give to collectors", async (t) => {
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const check = /```python\n(def published_by_owner[\s\S]*?)```/.exec(page)![1]!;
  const collected: amqp.ConsumeMessage[] = [];
  const collector = await connectionOf('collect').createChannel();
  await collector.consume('proc_box.collect', (message) => message !== null && collected.push(message), {
    noAck: true,
  });
  const body = JSON.stringify({ Identity: { user: 'bob' } });
  const came = async (id: string) => {
    await until(() => collected.some(({ properties }) => properties.messageId === id), `${id} is collected`);
  };
  const accepted: string[] = [];
  for (const kind of ['stats', 'events']) {
    for (const [what, { go, refused = 'allowed' }] of Object.entries(WAYS)) {
      for (const userId of [undefined, 'alice']) {
        const id = `${kind} by ${what} as ${userId}`;
        const properties = { messageId: id, ...(userId && { userId }) };
        const said = await attempt('alice', go(`proc_box.${kind}.bob.node1`, properties, body));
        t.equal(said, refused, id);
        if (said === 'allowed') await came(id);
      }
    }
    // What her own box sends comes in her own name, whatever it says.
    const key = `proc_box.${kind}.alice.node1`;
    for (const [id, text, good] of [
      [`${kind} of her own`, JSON.stringify({ Identity: { user: 'alice' } }), true],
      [`${kind} of her own, in his name`, body, false],
      [`${kind} of her own, in both names`, '{"Identity": {"user": "alice"}, "identity": {"user": "bob"}}', false],
      [`${kind} of nobody`, '[]', false],
    ] as const) {
      t.equal(await attempt('alice', publish(TOPIC, key, { messageId: id, userId: 'alice' }, text)), 'allowed', id);
      await came(id);
      if (good) accepted.push(id);
    }
  }
  const program = `import json
${check}
import sys
from types import SimpleNamespace
for user_id, text in json.load(sys.stdin):
    print(published_by_owner(SimpleNamespace(user_id=user_id), text))
`;
  const input = JSON.stringify(
    collected.map(({ properties, content }) => [properties.userId ?? null, content.toString()]),
  );
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', program], { input, encoding: 'utf8' });
  t.equal(stderr, '');
  const verdicts = stdout.trim().split('\n');
  t.strictSame(
    collected.filter((_, index) => verdicts[index] === 'True').map(({ properties }) => properties.messageId),
    accepted,
  );
});
