import t from 'tap';
import { Bindings, type BindingsOptions } from '../../src/node-link/bindings.js';
import type { ControlSession } from '../../src/node-link/control-session.js';
import { notingLogger, until } from '../fixtures/broker.js';

/** A session whose broker refuses some keys and exchanges. */
function session(refusedKeys: readonly string[] = [], refusedExchanges: readonly string[] = []) {
  const bound: string[][] = [];
  const unbound: string[] = [];
  let channels = 0;
  const one = {
    ensureExchange: (exchange: string, done: (error?: unknown) => void) =>
      setImmediate(done, refusedExchanges.includes(exchange) ? new Error('"NOT_ALLOWED - no"') : undefined),
    openBinder: (done: (error: unknown, binder: object) => void) => {
      channels++;
      const binder = {
        bindAll: (keys: readonly { key: string }[], bindDone: (error: unknown) => void) => {
          const refused = keys.some(({ key }) => refusedKeys.includes(key));
          if (!refused) bound.push(keys.map(({ key }) => key));
          setImmediate(bindDone, refused ? Object.assign(new Error('"ACCESS_REFUSED - no"'), { code: 403 }) : null);
        },
        unbind: ({ key }: { key: string }, unbindDone: (error: unknown) => void) => {
          unbound.push(key);
          setImmediate(unbindDone, null);
        },
        close() {},
      };
      setImmediate(done, null, binder);
    },
  } as unknown as ControlSession;
  return { one, bound, unbound, channels: () => channels };
}

function make(options: Partial<BindingsOptions> = {}) {
  const { log, lines } = notingLogger();
  return { bindings: new Bindings({ lateMax: 100, log, ...options }), lines };
}

t.test('a key is bound once, however many boxes need it, and again on each connection', async (t) => {
  const { bindings } = make();
  bindings.want('x', ['k', 'k.host.h'], false);
  bindings.want('x', ['k', 'k.host.h'], false);
  for (const _ of [1, 2]) {
    const { one, bound } = session();
    bindings.attach(one);
    await until(() => bindings.isSettled, 'bound');
    t.strictSame(bound, [['k', 'k.host.h']], 'in one go');
    t.match(bindings.counts, { wanted: 2, bound: 2, refused: 0, leftOut: 0 });
  }
  bindings.detach();
  t.notOk(bindings.isSettled);
});

t.test('a key that nobody needs is unbound later, unless somebody needs it again', async (t) => {
  const { bindings } = make({ unbindAfterMs: 30 });
  const { one, unbound } = session();
  bindings.attach(one);
  bindings.want('x', ['a', 'b'], false);
  await until(() => bindings.isSettled, 'bound');
  bindings.release('x', ['a', 'b']);
  bindings.want('x', ['b'], false);
  t.strictSame(unbound, []);
  await until(() => unbound.length === 1, 'unbound');
  t.strictSame(unbound, ['a']);
  t.match(bindings.counts, { wanted: 1, bound: 1 });
});

t.test('a refused key costs the others nothing', async (t) => {
  const { bindings, lines } = make();
  const { one, bound, channels } = session(['bad']);
  bindings.want('x', ['a', 'bad', 'b'], false);
  bindings.attach(one);
  await until(() => bindings.isSettled, 'settled');
  t.strictSame(bound.flat().sort(), ['a', 'b']);
  t.match(bindings.counts, { wanted: 3, bound: 2, refused: 1 });
  t.ok(channels() <= 3);
  t.equal(lines.filter((line) => line.includes('warn') && line.includes('ACCESS_REFUSED')).length, 1);
  bindings.release('x', ['bad']);
  t.match(bindings.counts, { wanted: 2, refused: 0 });
  bindings.detach();
});

t.test('nothing is bound to an exchange that cannot be used', async (t) => {
  const { bindings } = make();
  const { one, bound } = session([], ['wrong']);
  bindings.attach(one);
  bindings.want('wrong', ['a', 'b'], false);
  bindings.want('x', ['c'], false);
  await until(() => bindings.isSettled && bindings.counts.bound === 1, 'settled');
  bindings.want('wrong', ['d'], false);
  await until(() => bindings.counts.refused === 3, 'refused');
  t.strictSame(bound, [['c']]);
  bindings.detach();
});

t.test('keys of single jobs are bounded, and those that were left out move up', async (t) => {
  const { bindings, lines } = make({ lateMax: 2 });
  const { one, bound } = session();
  bindings.attach(one);
  bindings.want('x', ['a', 'b', 'c'], true);
  bindings.want('x', ['k'], false);
  await until(() => bindings.counts.bound === 3, 'bound');
  t.match(bindings.counts, { wanted: 4, leftOut: 1 });
  t.equal(lines.length, 1);
  bindings.release('x', ['a']);
  await until(() => bindings.counts.leftOut === 0 && bindings.isSettled, 'there is room');
  t.equal(bound.at(-1)![0], 'c');
});

t.test('the keys of an exchange that was made anew are bound again', async (t) => {
  const { bindings } = make();
  const { one, bound } = session();
  bindings.attach(one);
  bindings.want('x', ['a'], false);
  bindings.want('y', ['b'], false);
  await until(() => bindings.counts.bound === 2, 'bound');
  bindings.rebind('x');
  await until(() => bindings.counts.bound === 2, 'bound again');
  t.strictSame(bound.flat(), ['a', 'b', 'a']);
});
