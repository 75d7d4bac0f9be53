import t from 'tap';
import type { Command, Requester } from '../../src/model/types.js';
import { askedBy, commandEvent, refusalEvent, toBy } from '../../src/stats/audit.js';

const amqp: Requester = { via: 'amqp', user: 'alice', messageId: 'm-1' };

t.test('who asked goes into events with the names of their keys, and with a bound', async (t) => {
  t.strictSame(toBy({ ...amqp, key: 'ops-1', signer: 'Olga' }), {
    via: 'amqp',
    message_id: 'm-1',
    user: 'alice',
    key: 'ops-1',
    signer: 'Olga',
  });
  const sender = { pid: 42, uid: 0, name: 'slurmstepd' };
  t.strictSame(toBy({ via: 'signal', signal: 'SIGTERM', sender }), { via: 'signal', signal: 'SIGTERM', sender });
  t.strictSame(toBy({ via: 'limit' }), { via: 'limit' });
  const { user = '', message_id = '' } = toBy({ via: 'amqp', user: 'x'.repeat(1000), messageId: 'y'.repeat(257) });
  t.strictSame([user.length, user.slice(-4), message_id.length], [256, 'x...', 256]);
});

t.test('who asked, for people', async (t) => {
  const cases: readonly (readonly [Requester, string])[] = [
    [{ via: 'limit' }, 'a limit'],
    [{ via: 'box' }, 'proc_box'],
    [{ via: 'signal' }, 'a signal'],
    [{ via: 'signal', signal: 'SIGTERM' }, 'SIGTERM'],
    [
      { via: 'signal', signal: 'SIGTERM', sender: { pid: 42, uid: 0, name: 'slurmstepd' } },
      'SIGTERM from slurmstepd (pid 42, uid 0)',
    ],
    [{ via: 'signal', signal: 'SIGTERM', sender: { pid: 42, uid: 7 } }, 'SIGTERM from a process (pid 42, uid 7)'],
    [amqp, 'user alice, message m-1'],
    [{ via: 'amqp', messageId: 'm-1' }, 'message m-1'],
    [{ via: 'amqp' }, 'a message without an id'],
    [{ ...amqp, key: 'ops-1', signer: 'Olga' }, 'user Olga (key ops-1), message m-1'],
  ];
  for (const [by, text] of cases) t.equal(askedBy(toBy(by)), text);
});

t.test('a command is recorded with its arguments and its answer', async (t) => {
  const event = (command: Command, result: unknown = null) => commandEvent(command, amqp, { ok: true, result });
  t.strictSame(event({ name: 'stop', graceMs: 5 }, { a: 1 }), {
    event: 'command',
    command: 'stop',
    arguments: { grace_ms: 5 },
    by: toBy(amqp),
    decision: 'accepted',
    answer: { ok: true, result: { a: 1 } },
  });
  t.strictSame(event({ name: 'ping' }).arguments, {});
  t.match(event({ name: 'set_limit', limit: 'memory', value: 'x'.repeat(300) }).arguments, { value: /^x{253}\.\.\.$/ });
  for (const name of ['status', 'sample'] as const)
    t.strictSame(event({ name }, { much: true }).answer, { ok: true }, 'what repeats a sample is left out');
});

t.test('a refusal is recorded as it was sent, with a bound', async (t) => {
  const answer = { ok: false, error: { code: 'bad_arguments', message: 'x'.repeat(2000) } } as const;
  const event = refusalEvent('k'.repeat(200), ['a', 'b'.repeat(300)], amqp, answer);
  t.match(event, { decision: 'refused', command: /^k{125}\.\.\.$/, arguments: ['a', /^b{253}\.\.\.$/] });
  t.match(event.answer, { ok: false, error: { code: 'bad_arguments', message: /^x{1021}\.\.\.$/ } });
  t.equal(refusalEvent('', null, amqp, answer).arguments, null);
});
