// test-timeout: 1200s
// test-alone
import t from 'tap';
import { kilobyteField } from '../../bench/measure.js';
import { sharedBroker } from '../fixtures/broker.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { LONG, mebibytes, report } from './soak.js';

/**
 * Memory of a wrapper that takes and publishes a sample every 10 ms: in its long form 18,000 of them, as many as 30
 * minutes have with one every 100 ms.
 */

const WARM_UP_SEC = LONG ? 60 : 5;
const MEASURED_SEC = LONG ? 180 : 6;
/** V8 lets its heap grow by itself at first; the short form only finds what runs away. */
const GROWTH_MAX_BYTES = (LONG ? 2 : 16) * 2 ** 20;

t.test('one sample every 10 ms', async (t) => {
  const operator = await connectOperator(t, await sharedBroker(t));
  const job = await operator.start(t, ['sleep', '1000'], { options: ['-sint', '10ms', '-timeout', '0'] });
  await job.bound();
  await pause(WARM_UP_SEC * 1000);
  const window = Math.max(2, MEASURED_SEC / 6);
  const before = await lowest(job.child.pid!, window);
  const samplesBefore = job.received.length;
  await pause((MEASURED_SEC - 2 * window) * 1000);
  const after = await lowest(job.child.pid!, window);
  const samples = job.received.length - samplesBefore;
  const growth = after - before;
  t.ok(samples > 20 * MEASURED_SEC, `${samples} samples`);
  t.ok(growth < GROWTH_MAX_BYTES, `${mebibytes(before)} grew by ${mebibytes(growth)}`);
  await job.ask('kill');
  t.strictSame(await job.ended, { code: 137, signal: null });
  report(
    `memory: ${samples} samples in ${MEASURED_SEC - window} s after ${WARM_UP_SEC} s of warm-up: ` +
      `${mebibytes(before)}, then ${mebibytes(after)}: ${mebibytes(growth)} more`,
  );
});

/** What is collectable comes and goes: the floor of a while is what is kept. */
async function lowest(pid: number, seconds: number): Promise<number> {
  let floor = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    floor = Math.min(floor, kilobyteField(pid, 'status', 'VmRSS'));
    await pause(100);
  }
  return floor;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
