// test-timeout: 1800s
import t from 'tap';
import { kilobyteField } from '../../bench/measure.js';
import { sharedBroker } from '../fixtures/broker.js';
import { hostileMessages, hostileSender, STUMBLING_BLOCKS } from '../fixtures/hostile.js';
import { connectOperator } from '../fixtures/operated-job.js';
import { LONG, mebibytes, report } from './soak.js';

/** A flood of messages that no honest sender would send, to the real thing with a real job. */

const MESSAGES = LONG ? 100_000 : 3_000;
const BATCH = 1_000;
/** Harmless ones: some of their mutations are none, and are carried out. */
const VALID = [
  '{"command":"ping","arguments":[]}',
  '{"Command":"ping",}',
  '{"command":"ping","target":{"box":"x","host":"y"}}',
];
/** Each costs a connection. */
const BLOCK_EVERY = 5_000;
const GROWTH_MAX_BYTES = (LONG ? 12 : 64) * 2 ** 20;

t.test(`${MESSAGES} hostile messages`, async (t) => {
  const uri = await sharedBroker(t);
  const operator = await connectOperator(t, uri);
  const job = await operator.start(t, ['sh', '-c', 'echo begun; read line; echo "$line"; sleep 1000'], {
    options: ['-sint', '0'],
  });
  await job.bound();
  t.teardown(() => t.passing() || report(job.stderr()));
  const sender = await hostileSender(t, uri, job.key);
  const memory: number[] = [];
  let sent = 0;
  for (let batch = 0; sent < MESSAGES; batch++) {
    // Some of them are nothing that can be sent.
    for (const [content, options] of hostileMessages(VALID, BATCH)) {
      if (await sender.publish(content, options)) sent++;
      // Its queue is bounded: what is sent faster than it is read would be dropped unseen.
      if (sent % 100 === 0) await sender.ping();
    }
    if ((batch * BATCH) % BLOCK_EVERY === 0) {
      const headers = STUMBLING_BLOCKS[((batch * BATCH) / BLOCK_EVERY) % STUMBLING_BLOCKS.length];
      await sender.publish(Buffer.from('{"command":"ping"}'), { headers });
      await sender.ping();
    }
    memory.push(kilobyteField(job.child.pid!, 'status', 'VmRSS'));
  }
  t.ok(sent >= MESSAGES, `${sent} were sent`);
  const answer = await job.ask('status');
  t.match(answer, { ok: true, result: { state: 'running' } }, 'control answers');
  t.ok(answer.result.refused_commands > MESSAGES / 2, `${answer.result.refused_commands} were refused`);
  t.equal(job.stdout(), 'begun\n\n', 'the job has heard of nothing');
  // What is collectable comes and goes: the floor of a while is what is kept.
  const third = Math.max(1, Math.floor(memory.length / 3));
  const warm = Math.min(...memory.slice(third, 2 * third));
  const atEnd = Math.min(...memory.slice(-third));
  const growth = atEnd - warm;
  t.ok(growth < GROWTH_MAX_BYTES, `grew by ${mebibytes(growth)}`);
  await job.ask('kill');
  t.strictSame(await job.ended, { code: 137, signal: null });
  report(
    `hostile: ${sent} messages, ${answer.result.refused_commands} refused, job unaffected, control answers; ` +
      `memory ${mebibytes(warm)} in the second third, ${mebibytes(atEnd)} in the last`,
  );
});
