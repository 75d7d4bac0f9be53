import t from 'tap';
import { Steps } from '../../src/amqp/steps.js';
import { virtualTime } from '../fixtures/virtual-time.js';

function deferred() {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('steps are taken one after the other, until there is nothing to do', async (t) => {
  const waiting = [deferred(), deferred()];
  let taken = 0;
  const steps = new Steps(
    () => waiting[taken]?.promise && waiting[taken++]!.promise,
    () => t.fail('no failure'),
  );
  steps.go();
  steps.go();
  t.equal(taken, 1, 'one at a time');
  waiting[0]!.resolve();
  await turn();
  t.equal(taken, 2);
  waiting[1]!.resolve();
  await steps.finish();
  const next = deferred();
  waiting.push(next);
  steps.go();
  t.equal(taken, 3, 'it begins again when there is more');
  next.resolve();
  await steps.finish();
});

t.test('after a failure it rests for a second', async (t) => {
  const time = virtualTime(t);
  const failures: string[] = [];
  let taken = 0;
  const steps = new Steps(
    () => {
      taken++;
      return taken === 1 ? Promise.reject(new Error('full')) : undefined;
    },
    ({ message }) => failures.push(message),
  );
  steps.go();
  await turn();
  t.strictSame(failures, ['full']);
  steps.go();
  t.equal(taken, 1, 'nothing is tried while it rests');
  await time.advance(1000);
  t.equal(taken, 2);
});

t.test('the end does not wait for the rest, and tries once more', async (t) => {
  virtualTime(t);
  const failures: string[] = [];
  let taken = 0;
  const steps = new Steps(
    () => Promise.reject(new Error(`${++taken}`)),
    ({ message }) => failures.push(message),
  );
  steps.go();
  await steps.finish();
  t.strictSame(failures, ['1', '2']);
});
