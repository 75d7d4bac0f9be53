import t from 'tap';
import { jobName, worstPressure } from '../../../src/observe/top/row.js';
import { topRow } from '../../fixtures/top-rows.js';

t.test('a job is named with its step and task', async (t) => {
  t.equal(jobName(topRow('b', { job: '1234_7', step: '0', task: '3' })), '1234_7.0.3');
  t.equal(jobName(topRow('b')), '1234');
});

t.test('the highest pressure counts', async (t) => {
  t.strictSame(worstPressure(topRow('b')), { on: 'memory', percent: 42 });
  t.strictSame(worstPressure(topRow('b', { pressure_memory: null })), { on: 'io', percent: 2 });
  t.equal(worstPressure(topRow('b', { pressure_cpu: null, pressure_memory: null, pressure_io: null })), null);
});
