import t from 'tap';
import { type Gate, userGate } from '../../src/amqp/gate.js';
import { connectBroker } from '../../src/amqp/index.js';
import type { ControlRule } from '../../src/options/control.js';
import { ask, fakeBox, foreignClient, notingLogger, privateBroker, specFor, until } from '../fixtures/broker.js';

/** `--control-auth user`: the broker checks user_id, the rules say who may what. */

const RULES: readonly ControlRule[] = [
  { users: ['{owner}'], commands: ['status', 'sample', 'suspend', 'resume'] },
  { users: ['op-*'], commands: ['*'] },
  { users: ['watch'], commands: ['ping', 'timer_*'] },
];

const { identity } = fakeBox({ user: 'alice' });
const verdict = (gate: Gate, user: string | undefined, command: string) => {
  const content = Buffer.from(JSON.stringify({ command }));
  const admitted = gate({ content, properties: user === undefined ? {} : { userId: user } });
  if (admitted instanceof Promise || admitted.outcome.kind === 'ignored') throw new Error('not decided at once');
  return admitted.outcome.kind === 'request' ? 'accepted' : admitted.outcome.answer.error.code;
};

t.test('who may give which command', async (t) => {
  const gate = userGate(RULES, identity, Date.now);
  const cases: readonly (readonly [string | undefined, string, string])[] = [
    ['alice', 'suspend', 'accepted'],
    ['alice', 'status', 'accepted'],
    ['alice', 'kill', 'forbidden'],
    ['alice', 'stop', 'forbidden'],
    ['op-anna', 'kill', 'accepted'],
    ['op-anna', 'no_such_command', 'accepted'],
    ['op', 'kill', 'forbidden'],
    ['bob', 'ping', 'forbidden'],
    ['watch', 'timer_stop', 'accepted'],
    ['watch', 'sample', 'forbidden'],
    ['Alice', 'suspend', 'forbidden'],
    ['alice ', 'suspend', 'forbidden'],
    ['', 'suspend', 'forbidden'],
    ['{owner}', 'suspend', 'forbidden'],
    ['*', 'suspend', 'forbidden'],
    [undefined, 'ping', 'forbidden'],
    [undefined, 'kill', 'forbidden'],
  ];
  for (const [user, command, expected] of cases) t.equal(verdict(gate, user, command), expected, `${user} ${command}`);
  t.equal(verdict(userGate([], identity, Date.now), 'alice', 'ping'), 'forbidden', 'no rules let nobody in');
});

t.test('an owner whose name looks like a pattern is only himself', async (t) => {
  const gate = userGate([{ users: ['{owner}'], commands: ['*'] }], fakeBox({ user: '*' }).identity, Date.now);
  t.equal(verdict(gate, 'bob', 'kill'), 'forbidden');
  t.equal(verdict(gate, '*', 'kill'), 'accepted');
});

t.test('against a real broker', async (t) => {
  const users = ['alice', 'bob', 'op-anna'].map((name) => ({ name, password: name }));
  const broker = await privateBroker(t, { users });
  const as = (name: string) => foreignClient(t, `amqp://${name}:${name}@127.0.0.1:${broker.port}`);
  const box = fakeBox({ user: 'alice' });
  const { log, lines } = notingLogger();
  const spec = specFor(`amqp://alice:alice@127.0.0.1:${broker.port}`, { controlAuth: 'user', controlRules: RULES });
  const link = connectBroker(spec, box, log);
  t.teardown(() => link.close(0));
  await until(() => link.state().control.state === 'up', 'control is up');
  const to = { exchange: 'amq.topic', key: spec.routingKeys[0]! };
  const [alice, bob, anna] = [await as('alice'), await as('bob'), await as('op-anna')];

  await t.test('a sender without user_id is refused, whoever it is', async (t) => {
    const { body } = await ask(alice.channel, to, { command: 'suspend' });
    t.match(body, { ok: false, command: 'suspend', error: { code: 'forbidden', message: /user_id/ } });
  });

  await t.test('the broker closes the channel of one who claims to be another', async (t) => {
    const { channel } = await as('bob');
    const closed = new Promise<Error>((resolve) => channel.once('error', resolve));
    channel.publish(to.exchange, to.key, Buffer.from('{"command": "kill"}'), { userId: 'op-anna' });
    t.match((await closed).message, /PRECONDITION.FAILED.*user_id/);
  });

  await t.test('each may what a rule says', async (t) => {
    const own = await ask(alice.channel, to, { command: 'suspend' }, { userId: 'alice', messageId: 'm1' });
    t.match(own.body, { ok: true });
    const more = await ask(alice.channel, to, { command: 'kill', arguments: ['TERM'] }, { userId: 'alice' });
    t.match(more.body, { ok: false, error: { code: 'forbidden' } });
    const other = await ask(bob.channel, to, { command: 'ping' }, { userId: 'bob' });
    t.match(other.body, { ok: false, error: { code: 'forbidden', message: /^user "bob" may not/ } });
    const operator = await ask(anna.channel, to, { command: 'kill' }, { userId: 'op-anna' });
    t.match(operator.body, { ok: true });
    t.strictSame(
      box.executed.map(({ command, by }) => [command.name, by.user]),
      [
        ['suspend', 'alice'],
        ['kill', 'op-anna'],
      ],
    );
  });

  await t.test('what was refused is counted, audited with its arguments, and logged once', async (t) => {
    t.match(box.refusals.at(-2), { command: 'kill', args: ['TERM'], by: { user: 'alice' } });
    t.equal(link.state().refused, 3);
    t.equal(lines.filter((line) => /warn: refused a message/.test(line)).length, 1);
  });
});
