import t from 'tap';
import { coresToAsk, memoryToAsk, timeToAsk } from '../../../src/observe/report/advice.js';
import { GIB } from '../../fixtures/facts.js';

const MIB = 1024 ** 2;
const MIN = 60_000;

t.test('memory is rounded up to what people ask for', async (t) => {
  t.equal(memoryToAsk(3.1 * GIB, 20), 4 * GIB);
  t.equal(memoryToAsk(0, 20), 128 * MIB);
  t.equal(memoryToAsk(200 * MIB, 20), 256 * MIB);
  t.equal(memoryToAsk(50 * GIB, 20), 60 * GIB);
  t.equal(memoryToAsk(1000 * GIB, 0), 1024 * GIB);
  t.equal(memoryToAsk(4 * GIB, 0), 4 * GIB, 'an even amount stays');
  for (const used of [1, 12.7, 99, 300, 2000]) t.ok(memoryToAsk(used * GIB, 20) >= used * GIB * 1.2);
});

t.test('whole cores, at least one', async (t) => {
  t.equal(coresToAsk(1.2, 20), 2);
  t.equal(coresToAsk(0, 20), 1);
  t.equal(coresToAsk(4, 0), 4);
});

t.test('time', async (t) => {
  t.equal(timeToAsk(35 * MIN, 20), 45 * MIN);
  t.equal(timeToAsk(1000, 20), 5 * MIN);
  t.equal(timeToAsk(5 * 60 * MIN, 10), 5.5 * 60 * MIN);
  t.equal(timeToAsk(30 * 60 * MIN, 0), 30 * 60 * MIN);
});
