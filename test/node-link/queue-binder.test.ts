import t from 'tap';
import type { ControlSession } from '../../src/node-link/control-session.js';
import { QueueBinder } from '../../src/node-link/queue-binder.js';
import { until } from '../fixtures/processes.js';

function make(failing = false) {
  let channels = 0;
  let idle = 0;
  const binder = {
    bindAll: (_: unknown, done: (error: unknown) => void) => setImmediate(done, failing ? new Error('403') : null),
    unbind: (_: unknown, done: (error: unknown) => void) => setImmediate(done, null),
    close() {},
  };
  const session = {
    ensureExchange: (_: string, done: (error?: unknown) => void) => setImmediate(done),
    openBinder: (done: (error: unknown, opened: object) => void) => {
      channels++;
      setImmediate(done, null, binder);
    },
  } as unknown as ControlSession;
  const one = new QueueBinder(session, () => idle++);
  const bind = () => new Promise((resolve) => one.bind([{ exchange: 'x', key: 'k' }], resolve));
  return { one, bind, channels: () => channels, idle: () => idle };
}

t.test('one channel serves all requests, until the broker refuses one', async (t) => {
  const good = make();
  t.equal(await good.bind(), null);
  t.equal(await good.bind(), null);
  t.equal(good.channels(), 1);
  const bad = make(true);
  t.match(await bad.bind(), { message: '403' });
  await bad.bind();
  t.equal(bad.channels(), 2);
});

t.test('an exchange is looked up once', async (t) => {
  const { one, idle } = make();
  one.lookUp('x');
  t.ok(one.isBusy);
  await until(() => !one.isBusy, 'it has been looked up');
  t.strictSame([one.isBusy, one.hasLookedUp('x'), one.problemWith('x'), idle()], [false, true, undefined, 1]);
  one.forget('x');
  t.notOk(one.hasLookedUp('x'));
});

t.test('once the queue has gone nothing is answered', async (t) => {
  const { one, bind, idle } = make();
  let answered = false;
  void bind().then(() => {
    answered = true;
  });
  one.end();
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame([answered, one.isBusy, idle()], [false, true, 0]);
});
