// test-timeout: 180s
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import amqp from 'amqplib';
import t, { type Test } from 'tap';
import { connectBroker } from '../../src/amqp/index.js';
import { type FakeBox, fakeBox, notingLogger, sample, specFor, unique, until } from '../fixtures/broker.js';
import {
  bind,
  type Channel,
  COMMANDS,
  consume,
  declare,
  OPERATORS,
  publish,
  REPLY,
  rabbitSite,
  TOPIC,
  VHOST,
} from '../fixtures/rabbitmq-site.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';

/** What scripts/site/rabbitmq permits, and what not: each case by a foreign client on the real broker. */

const { broker, dir, said, site, uriOf, connectionOf, attempt } = await rabbitSite(t);

/** A box of the user, as the site's config file sets it up. */
function boxOf(
  t: Test,
  user: string,
  controlAuth: 'broker' | 'user',
): Promise<{ box: FakeBox; lines: string[]; link: Link }> {
  const box = fakeBox({ user, job: `job-${user}`, box: unique(`box-${user}`) });
  const { log, lines } = notingLogger();
  const spec = specFor(uriOf(user), {
    routingKeys: [`${COMMANDS}.user.{user}`],
    statsKey: 'proc_box.stats.{user}',
    eventsKey: 'proc_box.events.{user}',
    replyExchange: REPLY,
    controlAuth,
    controlRules: [
      { users: ['{owner}'], commands: ['ping', 'suspend'] },
      { users: ['op-*'], commands: ['*'] },
    ],
  });
  const link = connectBroker(spec, box, log);
  t.teardown(() => link.close(0));
  return until(
    () => link.state().control.state === 'up' && link.state().statistics.state === 'up',
    'the box is up',
  ).then(() => ({ box, lines, link }));
}
type Link = ReturnType<typeof connectBroker>;

t.test('the script says what it does, may be repeated, and keeps passwords to files', async (t) => {
  t.match(said[0], /^vhost proc_box: has exchange proc_box\.reply, and queue proc_box\.collect .*\n$/);
  t.match(said[1], /^user alice: made, with the permissions of a user in vhost proc_box\n.*\nuser bob: made/);
  const before = uriOf('alice');
  t.match(before, /^amqp:\/\/alice:[0-9a-f]{36}@127\.0\.0\.1:\d+\/proc_box$/);
  t.equal(statSync(join(dir, 'alice')).mode & 0o777, 0o600);
  for (const text of said) t.notOk(text.includes(before.split(':')[2]!.split('@')[0]!));
  t.match(site('add-user', 'alice'), /^user alice: existed, keeps its password, and has the permissions of a user/);
  t.equal(uriOf('alice'), before);
  const again = await amqp.connect(before);
  await again.close();
  for (const [words, message] of [
    [['add-user', 'a.b'], /"a\.b": expected letters, digits, _ and -/],
    [['add-user', '-x'], /"-x": expected/],
    [['add-user', 'alice', 'carol'], /no such user: carol; give --uri-dir or --external .*; nothing was changed/],
    [['--vhost', 'nowhere', 'add-user', 'alice'], /vhost nowhere does not exist: run "setup" first/],
    [['add-user'], /add-user needs a name/],
    [['frobnicate'], /unknown command frobnicate/],
  ] as const) {
    t.throws(() => site(...words), { message }, words.join(' '));
  }
});

const CASES: readonly (readonly [string, string, (channel: Channel) => Promise<unknown>, string])[] = [
  ['alice declares a command queue of her own', 'alice', declare('proc_box.ctl.alice.b.1'), 'allowed'],
  [
    'alice binds her own commands',
    'alice',
    bind('proc_box.ctl.alice.b.2', TOPIC, `${COMMANDS}.user.alice.job.1`),
    'allowed',
  ],
  [
    'alice binds all of her own commands',
    'alice',
    bind('proc_box.ctl.alice.b.3', TOPIC, `${COMMANDS}.user.alice.#`),
    'allowed',
  ],
  ['alice publishes her statistics', 'alice', publish(TOPIC, 'proc_box.stats.alice.node1'), 'allowed'],
  ['alice publishes her events', 'alice', publish(TOPIC, 'proc_box.events.alice.node1'), 'allowed'],
  [
    'alice commands her own jobs',
    'alice',
    publish(TOPIC, `${COMMANDS}.user.alice.job.1`, { userId: 'alice' }),
    'allowed',
  ],
  ['alice answers', 'alice', publish(REPLY, 'proc_box.reply.op-olga.x'), 'allowed'],
  ['alice gets answers', 'alice', bind('proc_box.reply.alice.1', REPLY, 'proc_box.reply.alice.1'), 'allowed'],
  ["alice commands bob's jobs", 'alice', publish(TOPIC, `${COMMANDS}.user.bob.job.1`), 'ACCESS_REFUSED'],
  ['alice commands everyone', 'alice', publish(TOPIC, COMMANDS), 'ACCESS_REFUSED'],
  ['alice commands a job by its number', 'alice', publish(TOPIC, `${COMMANDS}.job.1`), 'ACCESS_REFUSED'],
  ['alice commands a host', 'alice', publish(TOPIC, `${COMMANDS}.host.node1`), 'ACCESS_REFUSED'],
  [
    'alice commands a user whose name begins as hers',
    'alice',
    publish(TOPIC, `${COMMANDS}.user.alice2`),
    'ACCESS_REFUSED',
  ],
  [
    'alice says that she is bob',
    'alice',
    publish(TOPIC, `${COMMANDS}.user.alice`, { userId: 'bob' }),
    'PRECONDITION_FAILED',
  ],
  ['alice publishes statistics as bob', 'alice', publish(TOPIC, 'proc_box.stats.bob.node1'), 'ACCESS_REFUSED'],
  ['alice publishes statistics as nobody', 'alice', publish(TOPIC, 'proc_box.stats.node1'), 'ACCESS_REFUSED'],
  ['alice publishes events as bob', 'alice', publish(TOPIC, 'proc_box.events.bob.node1'), 'ACCESS_REFUSED'],
  [
    "alice binds bob's commands",
    'alice',
    bind('proc_box.ctl.alice.b.4', TOPIC, `${COMMANDS}.user.bob`),
    'ACCESS_REFUSED',
  ],
  ['alice binds everything', 'alice', bind('proc_box.ctl.alice.b.5', TOPIC, '#'), 'ACCESS_REFUSED'],
  [
    'alice binds the commands of all users',
    'alice',
    bind('proc_box.ctl.alice.b.6', TOPIC, `${COMMANDS}.user.*`),
    'ACCESS_REFUSED',
  ],
  [
    'alice binds commands to jobs',
    'alice',
    bind('proc_box.ctl.alice.b.7', TOPIC, `${COMMANDS}.job.#`),
    'ACCESS_REFUSED',
  ],
  [
    "alice binds bob's statistics",
    'alice',
    bind('proc_box.ctl.alice.b.8', TOPIC, 'proc_box.stats.bob.#'),
    'ACCESS_REFUSED',
  ],
  [
    'alice binds the answers to others',
    'alice',
    bind('proc_box.reply.alice.2', REPLY, 'proc_box.reply.#'),
    'ACCESS_REFUSED',
  ],
  ['alice declares a queue of bob', 'alice', declare('proc_box.ctl.bob.b.1'), 'ACCESS_REFUSED'],
  ['alice declares any queue', 'alice', declare('mine'), 'ACCESS_REFUSED'],
  ['alice declares an exchange', 'alice', (channel) => channel.assertExchange('mine', 'topic'), 'ACCESS_REFUSED'],
  ['alice deletes the exchange of answers', 'alice', (channel) => channel.deleteExchange(REPLY), 'ACCESS_REFUSED'],
  ['alice consumes what is collected', 'alice', consume('proc_box.collect'), 'ACCESS_REFUSED'],
  ['alice purges what is collected', 'alice', (channel) => channel.purgeQueue('proc_box.collect'), 'ACCESS_REFUSED'],
  ['alice puts a command into a queue by its name', 'alice', publish('', 'proc_box.ctl.bob.b.1'), 'ACCESS_REFUSED'],
  ['alice publishes to another exchange', 'alice', publish('amq.direct', 'x'), 'ACCESS_REFUSED'],
  [
    'an operator commands every job',
    'op-olga',
    publish(TOPIC, `${COMMANDS}.user.bob.job.1`, { userId: 'op-olga' }),
    'allowed',
  ],
  ['an operator commands everyone', 'op-olga', publish(TOPIC, OPERATORS), 'allowed'],
  ['an operator commands a host', 'op-olga', publish(TOPIC, `${OPERATORS}.host.node1`), 'allowed'],
  ['alice gets what operators send to all', 'alice', bind('proc_box.ctl.alice.b.9', TOPIC, OPERATORS), 'allowed'],
  [
    'alice gets what operators send to a host',
    'alice',
    bind('proc_box.ctl.alice.b.10', TOPIC, `${OPERATORS}.host.node1`),
    'allowed',
  ],
  [
    'alice watches all that operators send',
    'alice',
    bind('proc_box.ctl.alice.b.11', TOPIC, `${OPERATORS}.#`),
    'ACCESS_REFUSED',
  ],
  [
    'alice watches what operators send to any job',
    'alice',
    bind('proc_box.ctl.alice.b.12', TOPIC, `${OPERATORS}.job.*`),
    'ACCESS_REFUSED',
  ],
  [
    'alice gets what operators send to bob',
    'alice',
    bind('proc_box.ctl.alice.b.13', TOPIC, `${OPERATORS}.user.bob`),
    'ACCESS_REFUSED',
  ],
  ['alice commands as operators do', 'alice', publish(TOPIC, OPERATORS), 'ACCESS_REFUSED'],
  [
    'an operator gets answers',
    'op-olga',
    bind('proc_box.reply.op-olga.1', REPLY, 'proc_box.reply.op-olga.1'),
    'allowed',
  ],
  [
    'an operator gets the answers to others',
    'op-olga',
    bind('proc_box.reply.op-olga.2', REPLY, 'proc_box.reply.#'),
    'ACCESS_REFUSED',
  ],
  [
    'an operator says that he is alice',
    'op-olga',
    publish(TOPIC, `${COMMANDS}.user.alice`, { userId: 'alice' }),
    'PRECONDITION_FAILED',
  ],
  ['an operator publishes statistics', 'op-olga', publish(TOPIC, 'proc_box.stats.bob.node1'), 'ACCESS_REFUSED'],
  ['an operator reads commands', 'op-olga', bind('proc_box.reply.op-olga.3', TOPIC, COMMANDS), 'ACCESS_REFUSED'],
  [
    'an operator watches what every box publishes',
    'op-olga',
    bind('proc_box.reply.op-olga.4', TOPIC, 'proc_box.stats.*.#'),
    'allowed',
  ],
  [
    'alice watches what her own boxes publish',
    'alice',
    bind('proc_box.reply.alice.w', TOPIC, 'proc_box.events.alice.#'),
    'allowed',
  ],
  [
    'alice watches what all boxes publish',
    'alice',
    bind('proc_box.reply.alice.x', TOPIC, 'proc_box.stats.*.#'),
    'ACCESS_REFUSED',
  ],
  ['an operator answers for a box', 'op-olga', publish(REPLY, 'proc_box.reply.alice.1'), 'ACCESS_REFUSED'],
  ['a collector consumes', 'collect', consume('proc_box.collect'), 'allowed'],
  ['a collector commands', 'collect', publish(TOPIC, COMMANDS), 'ACCESS_REFUSED'],
  ['a collector publishes statistics', 'collect', publish(TOPIC, 'proc_box.stats.bob.node1'), 'ACCESS_REFUSED'],
  ['a collector declares a queue', 'collect', declare('proc_box.reply.collect.1'), 'ACCESS_REFUSED'],
  ['an agent declares a queue of its own', 'agent-n1', declare('proc_box.ctl.proc_box.n1.1'), 'allowed'],
  [
    'an agent binds the commands to a job of any user',
    'agent-n1',
    bind('proc_box.ctl.proc_box.n1.2', TOPIC, `${COMMANDS}.user.bob.job.1`),
    'allowed',
  ],
  ['an agent binds the commands to all', 'agent-n1', bind('proc_box.ctl.proc_box.n1.3', TOPIC, COMMANDS), 'allowed'],
  [
    'an agent binds what operators send to a host',
    'agent-n1',
    bind('proc_box.ctl.proc_box.n1.4', TOPIC, `${OPERATORS}.host.node1`),
    'allowed',
  ],
  ['an agent publishes statistics of any user', 'agent-n1', publish(TOPIC, 'proc_box.stats.bob.node1'), 'allowed'],
  ['an agent publishes events of any user', 'agent-n1', publish(TOPIC, 'proc_box.events.bob.node1'), 'allowed'],
  ['an agent answers', 'agent-n1', publish(REPLY, 'proc_box.reply.op-olga.x'), 'allowed'],
  ['an agent commands', 'agent-n1', publish(TOPIC, `${COMMANDS}.user.bob`), 'ACCESS_REFUSED'],
  ['an agent commands as operators do', 'agent-n1', publish(TOPIC, OPERATORS), 'ACCESS_REFUSED'],
  [
    'an agent watches all commands',
    'agent-n1',
    bind('proc_box.ctl.proc_box.n1.5', TOPIC, `${COMMANDS}.#`),
    'ACCESS_REFUSED',
  ],
  [
    'an agent reads statistics',
    'agent-n1',
    bind('proc_box.ctl.proc_box.n1.6', TOPIC, 'proc_box.stats.bob.node1'),
    'ACCESS_REFUSED',
  ],
  [
    'an agent reads answers',
    'agent-n1',
    bind('proc_box.ctl.proc_box.n1.7', REPLY, 'proc_box.reply.op-olga.1'),
    'ACCESS_REFUSED',
  ],
  ['an agent declares a queue of a user', 'agent-n1', declare('proc_box.ctl.bob.b.2'), 'ACCESS_REFUSED'],
  ['an agent declares any queue', 'agent-n1', declare('mine'), 'ACCESS_REFUSED'],
  ['an agent consumes what is collected', 'agent-n1', consume('proc_box.collect'), 'ACCESS_REFUSED'],
  ['an agent declares an exchange', 'agent-n1', (channel) => channel.assertExchange('mine', 'topic'), 'ACCESS_REFUSED'],
  ['alice declares a queue of an agent', 'alice', declare('proc_box.ctl.proc_box.n1.8'), 'ACCESS_REFUSED'],
];

t.test('the matrix of permissions', async (t) => {
  for (const [what, user, act, expected] of CASES) t.equal(await attempt(user, act), expected, what);
});

t.test("nobody reads from a box's queue", async (t) => {
  const { box } = await boxOf(t, 'bob', 'user');
  const queues = await broker.ctl('-p', VHOST, 'list_queues', 'name');
  const queue = queues.split('\n').find((name) => name.startsWith(`proc_box.ctl.bob.${box.identity.box}.`))!;
  t.ok(queue);
  t.equal(await attempt('alice', consume(queue)), 'ACCESS_REFUSED');
  t.equal(await attempt('op-olga', consume(queue)), 'ACCESS_REFUSED');
  t.equal(await attempt('bob', consume(queue)), 'RESOURCE_LOCKED', 'exclusive: not even his own other connections');
});

t.test('boxes, operators and collectors can work under these permissions', async (t) => {
  const { box, link, lines } = await boxOf(t, 'alice', 'user');
  const collected: { key: string; id: string }[] = [];
  const collector = await connectionOf('collect').createChannel();
  await collector.consume(
    'proc_box.collect',
    (message) => {
      if (message !== null) collected.push({ key: message.fields.routingKey, id: message.properties.messageId });
    },
    { noAck: true },
  );
  link.publish(sample(box.identity.box, 1));
  await until(() => collected.some(({ id }) => id === `${box.identity.box}-1`), 'the sample is collected');
  t.equal(collected.find(({ id }) => id === `${box.identity.box}-1`)!.key, `proc_box.stats.alice.${box.identity.host}`);

  const ctl = (user: string, ...words: string[]) => {
    const where = ['--rkey', `${COMMANDS}.user.{user}`, '--reply-exchange', REPLY, '--uri-file', join(dir, user)];
    const env = plainEnvironment({ PBOX_CONFIG: 'none' });
    const options = ['--user', 'alice', '--job', 'job-alice', '--answers', '1', '--wait', '20s'];
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(PROC_BOX, ['ctl', ...where, ...options, ...words], { env }, (error, stdout, stderr) =>
        resolve({ code: (error as { code?: number } | null)?.code ?? 0, stdout, stderr }),
      );
    });
  };
  const operator = await ctl('op-olga', 'kill');
  t.match(operator.stdout, /job job-alice .*: kill ok/, operator.stderr);
  const owner = await ctl('alice', 'suspend');
  t.match(owner.stdout, /suspend ok/, owner.stderr);
  const more = await ctl('alice', 'kill');
  t.match(more.stdout, /kill refused: forbidden/, more.stderr);
  const other = await ctl('bob', 'ping');
  t.match(other.stderr, /ACCESS_REFUSED|access to topic/, 'the broker does not let bob ask at all');
  t.strictSame(
    box.executed.map(({ command, by }) => [command.name, by.user]),
    [
      ['kill', 'op-olga'],
      ['suspend', 'alice'],
    ],
  );
  t.notOk(lines.some((line) => /refuses our answers/.test(line)));
});

t.test('a box whose queue the broker does not permit says so once, and which permission is missing', async (t) => {
  const { log, lines } = notingLogger();
  const keys = { routingKeys: [`${COMMANDS}.user.alice`], statsKey: 'proc_box.stats.alice' };
  const link = connectBroker(specFor(uriOf('alice'), keys), fakeBox({ user: 'zoe', box: unique('box') }), log);
  t.teardown(() => link.close(0));
  const refused = () => lines.filter((line) => line.includes('control: broker'));
  await until(() => refused().length > 0, 'refused');
  t.match(
    refused()[0],
    /access to queue 'proc_box\.ctl\.zoe\..* refused for user 'alice'.*ask the broker's administrator/,
  );
  await until(() => link.state().statistics.state === 'up', 'statistics go on');
  t.equal(refused().filter((line) => line.includes('warn')).length, 1);
});

t.test("a command that is put into a box's queue by its name is refused", async (t) => {
  for (const controlAuth of ['broker', 'user'] as const) {
    const box = fakeBox({ user: 'guest', box: unique('box') });
    const { log } = notingLogger();
    const rules = { controlAuth, controlRules: [{ users: ['*'], commands: ['*'] }] };
    const spec = specFor(broker.uri, rules);
    const link = connectBroker(spec, box, log);
    t.teardown(() => link.close(0));
    await until(() => link.state().control.state === 'up', 'the box is up');
    const queues = await broker.ctl('list_queues', 'name');
    const queue = queues.split('\n').find((name) => name.includes(box.identity.box)) ?? '';
    const sender = await amqp.connect(broker.uri);
    t.teardown(() => sender.close());
    const channel = await sender.createConfirmChannel();
    const body = Buffer.from('{"command": "kill"}');
    channel.publish('', queue, body, { userId: 'guest', messageId: 'by name' });
    // What the command was bound by is no header, nor is it what the sender says.
    channel.publish('', queue, body, {
      userId: 'guest',
      messageId: 'told',
      headers: { routingKey: spec.routingKeys[0] },
    });
    channel.publish(TOPIC, spec.routingKeys[0]!, Buffer.from('{"command": "ping"}'), {
      userId: 'guest',
      messageId: 'last',
    });
    await until(() => box.executed.length > 0, 'the last command has come');
    t.strictSame(
      box.executed.map(({ command, by }) => [command.name, by.messageId]),
      [['ping', 'last']],
    );
    t.strictSame(
      box.refusals.map(({ by, answer }) => [by.messageId, answer.ok || answer.error.code]),
      [
        ['by name', 'forged'],
        ['told', 'forged'],
      ],
    );
  }
});

t.test('an answer that the broker refuses is told of once, and statistics go on', async (t) => {
  const cases: readonly (readonly [string, string, string, string, RegExp])[] = [
    ['default exchange', 'alice', '', 'amq.rabbitmq.reply-to', /refuses our answers: ACCESS_REFUSED.*--reply-exchange/],
    [
      'an exchange that is not there',
      'guest',
      'no.such',
      'x',
      /refuses our answers: NOT_FOUND.*the exchange must exist/,
    ],
  ];
  for (const [what, user, replyExchange, replyTo, message] of cases) {
    const box = fakeBox({ user, box: unique('box') });
    const { log, lines } = notingLogger();
    const spec = specFor(user === 'guest' ? broker.uri : uriOf(user), {
      routingKeys: [`${COMMANDS}.user.{user}`],
      statsKey: 'proc_box.stats.{user}',
      replyExchange,
    });
    const link = connectBroker(spec, box, log);
    t.teardown(() => link.close(0));
    await until(() => link.state().control.state === 'up' && link.state().statistics.state === 'up', 'the box is up');
    const { connections: before } = link.state().statistics;
    const sender = await amqp.connect(user === 'guest' ? broker.uri : uriOf(user));
    t.teardown(() => sender.close());
    const channel = await sender.createConfirmChannel();
    if (replyTo.startsWith('amq.')) await channel.consume(replyTo, () => {}, { noAck: true });
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => {
        const key = `${COMMANDS}.user.${user}`;
        channel.publish(TOPIC, key, Buffer.from('{"command": "ping"}'), { replyTo }, resolve);
      });
      await until(() => box.executed.length === i + 1, 'the command is carried out all the same');
      link.publish(sample(box.identity.box, i + 1));
    }
    await until(() => lines.some((line) => message.test(line)), `${what}: the warning`);
    await until(() => link.state().outbox.messages === 0, 'the samples are delivered');
    t.equal(lines.filter((line) => /warn: .*refuses our answers/.test(line)).length, 1, `${what}: once`);
    t.equal(link.state().statistics.connections, before, `${what}: on the same connection`);
  }
});
