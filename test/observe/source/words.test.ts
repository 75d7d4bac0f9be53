import t from 'tap';
import { amountText, byText, limitOf, limitText } from '../../../src/observe/source/words.js';

t.test('limits have their units, also those of a later version', async (t) => {
  const limit = { value: 1024, hard: 4096, unit: 'count', enforcement: 'rlimit', source: null };
  t.equal(limitText(limit), '1024:4096');
  t.equal(limitText({ ...limit, hard: 1024 }), '1024');
  t.equal(limitText({ ...limit, value: 4 * 1024 ** 3, hard: null, unit: 'bytes' }), '4 GiB');
  t.equal(limitText({ ...limit, value: 'unlimited', hard: null }), 'unlimited');
  t.equal(amountText(3, 'watts'), '3 watts');
  t.equal(limitOf(null), undefined);
  t.match(limitOf({ value: 5 }), { value: 5, enforcement: 'none' });
});

t.test('who has asked', async (t) => {
  t.equal(byText(null), '');
  t.equal(byText({ via: 'amqp', user: 'ops' }), ' by ops');
  t.equal(byText({ via: 'amqp', key: 'k1', signer: 'Olga' }), ' by a message (signed by Olga)');
  t.equal(
    byText({ via: 'signal', signal: 'SIGTERM', sender: { pid: 42, uid: 0, name: 'slurmstepd' } }),
    ' by SIGTERM from pid 42 (slurmstepd)',
  );
  t.equal(byText({ via: 'signal', sender: { pid: 0 } }), ' by a signal');
  t.equal(byText({ via: 'limit' }), ' by a limit');
  t.equal(byText({ via: 'box' }), ' by the box itself');
  t.equal(byText({ via: 7, user: [] }), ' by a message');
});
