import t from 'tap';
import { within } from '../../src/amqp/within.js';
import { virtualTime } from '../fixtures/virtual-time.js';

t.test('what is done in time leaves no timer behind', async (t) => {
  const time = virtualTime(t);
  t.equal(await within(1000, Promise.resolve('x')), true);
  t.equal(time.armed(), 0);
});

t.test('what is late is not waited for', async (t) => {
  const time = virtualTime(t);
  const done = within(1000, new Promise(() => {}));
  await time.advance(1000);
  t.equal(await done, false);
});

t.test('what fails in time fails here, and leaves no timer behind', async (t) => {
  const time = virtualTime(t);
  await t.rejects(within(1000, Promise.reject(new Error('no'))), { message: 'no' });
  t.equal(time.armed(), 0);
});
