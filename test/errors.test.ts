import t from 'tap';
import {
  BrokerError,
  describeError,
  EnvironmentError,
  isEnvironmentError,
  isSpecError,
  SpecError,
} from '../src/errors.js';

t.test('an error is known by its name, since each bundle has classes of its own', async (t) => {
  const foreign = Object.assign(new Error('x'), { name: 'SpecError' });
  t.ok(isSpecError(new SpecError('x')) && isSpecError(foreign));
  t.ok(isEnvironmentError(new EnvironmentError('x')));
  for (const other of [new EnvironmentError('x'), new Error('x'), { name: 'SpecError' }, null])
    t.notOk(isSpecError(other));
  for (const other of [new SpecError('x'), new Error('x'), undefined]) t.notOk(isEnvironmentError(other));
});

t.test('an error of ours is its message; another one shows where it comes from with --debug only', async (t) => {
  for (const error of [new SpecError('m'), new EnvironmentError('m'), new BrokerError('m')]) {
    t.equal(describeError(error, false), 'm');
    t.equal(describeError(error, true), 'm');
  }
  const bug = new TypeError('x is not a function');
  t.equal(describeError(bug, false), 'internal error: x is not a function; --debug shows where it comes from');
  t.equal(describeError(bug, true), `internal error: ${bug.stack}`);
  t.equal(describeError('text', false), 'internal error: text');
});
