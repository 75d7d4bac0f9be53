import t from 'tap';
import { addressesOf } from '../../../src/cli/ctl/address.js';

const KEY = 'proc_box.remote_control';
const OF_USER = 'proc_box.{user}';

function addresses(given: Record<string, string>, keys: readonly string[] = [KEY], everybody = false) {
  return addressesOf(new Map(Object.entries(given)), everybody, keys, () => 'me').map(({ routingKey, target }) =>
    target === undefined ? [routingKey] : [routingKey, target],
  );
}

t.test('the most exact one becomes the routing key, the others narrow it', async (t) => {
  t.strictSame(addresses({ job: '12' }), [[`${KEY}.job.12`]]);
  t.strictSame(addresses({ host: 'n1.example' }), [[`${KEY}.host.n1_example`]]);
  t.strictSame(addresses({ user: 'alice', job: '12' }), [[`${KEY}.user.alice.job.12`]]);
  t.strictSame(addresses({ box: 'b', job: '12', host: 'h' }), [[`${KEY}.box.b`, { job: '12', host: 'h' }]]);
  t.strictSame(addresses({ job: '12', step: '0', task: '3', node: 'n' }), [
    [`${KEY}.job.12`, { node: 'n', step: '0', task: '3' }],
  ]);
  t.strictSame(addresses({}, [KEY], true), [[KEY]]);
  t.strictSame(addresses({ node: 'n' }, [KEY], true), [[KEY, { node: 'n' }]]);
});

t.test("a site's keys for users come after the one for operators", async (t) => {
  t.strictSame(addresses({ job: '12' }, [OF_USER]), [['proc_box.me.job.12']]);
  t.strictSame(addresses({ job: '12' }, [OF_USER, KEY]), [[`${KEY}.job.12`], ['proc_box.me.job.12']]);
  t.strictSame(addresses({ user: 'alice' }, [KEY, OF_USER]), [['proc_box.alice']], "another user's key");
  t.strictSame(addresses({}, [OF_USER], true), [['proc_box.me']]);
});

t.test('a signed command names everything that was given', async (t) => {
  const [address] = addressesOf(
    new Map([
      ['job', '12'],
      ['user', 'alice'],
      ['wait', '2s'],
    ]),
    false,
    [KEY],
    () => 'me',
  );
  t.strictSame(address!.all, { job: '12', user: 'alice' });
});

t.test('nobody is meant by accident', async (t) => {
  t.throws(() => addresses({}), {
    name: 'SpecError',
    message:
      'this would go to every box of the exchange: give --job, --host, --user or --box, or --all if you mean every box',
  });
  t.throws(() => addresses({ step: '0' }), { message: /this would go to every box/ });
  t.throws(() => addresses({ job: '12' }, [KEY], true), {
    message: '--all and --job are both given: give one of them',
  });
  t.throws(() => addresses({ job: '' }), { message: '--job is empty: that could address boxes that you do not mean' });
  t.throws(() => addresses({ job: '1', task: '' }), { message: /^--task is empty/ });
});
