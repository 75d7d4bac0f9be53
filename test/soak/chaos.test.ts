// test-timeout: 1200s

import { spawn } from 'node:child_process';
import type { GetMessage } from 'amqplib';
import t, { type Test } from 'tap';
import { type ForeignChannel, foreignClient, privateBroker, unique, until } from '../fixtures/broker.js';
import { PROC_BOX, plainEnvironment } from '../fixtures/run.js';
import { testSpool } from '../fixtures/spool.js';
import { type TcpProxy, tcpProxy } from '../fixtures/tcp-proxy.js';
import { LONG, report } from './soak.js';

/**
 * Boxes that publish a sample every 10 ms through a proxy that drops, resets, delays, swallows and half-closes their
 * connections, to a broker that is restarted and killed: nothing is lost, nothing out of order, and the job does not
 * notice.
 */

const BOXES = LONG ? 4 : 2;
const JOB_SECONDS = LONG ? 160 : 12;
const SAMPLES_MIN = LONG ? 20_000 : 500;

interface Run {
  readonly queue: string;
  readonly ended: Promise<{ code: number | null; elapsedSec: number; stdout: string; stderr: string }>;
}

/** A job that works and sleeps, and prints how long it took itself. */
const JOB = `s=$(date +%s%N); n=0; while [ $n -lt ${JOB_SECONDS * 10} ]; do n=$((n+1)); sleep 0.1; done; e=$(date +%s%N); echo $(( (e-s)/1000000 ))`;

function start(t: Test, options: readonly string[], queue = ''): Run {
  const child = spawn(PROC_BOX, ['--config', 'none', ...options, '--', 'sh', '-c', JOB], { env: plainEnvironment() });
  t.teardown(() => child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (text.stdout += data));
  child.stderr.on('data', (data) => (text.stderr += data));
  const startedMs = performance.now();
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.on('close', (code) => resolve({ code, elapsedSec: (performance.now() - startedMs) / 1000, ...text }));
  });
  return { queue, ended };
}

const broker = await privateBroker(t);

t.test(`${BOXES} boxes with a sample every 10 ms, through faults`, async (t) => {
  const proxy = await tcpProxy(t, broker.port);
  const { channel, connection } = await foreignClient(t, broker.uri);
  const runs: Run[] = [];
  const spool = testSpool(t);
  for (let n = 0; n < BOXES; n++) {
    const name = unique('chaos');
    await channel.assertQueue(name, { durable: true });
    await channel.bindQueue(name, 'amq.topic', `${name}.#`);
    const keys = ['-skey', `${name}.stats`, '-ekey', `${name}.events`, '-rkey', `${name}.ctl`];
    // Every second one has next to no memory, and a spool.
    const kept = n % 2 === 0 ? [] : ['--spool-dir', spool.dir, '--outbox-messages', '64'];
    runs.push(start(t, ['-uri', proxy.uriOf(broker.uri), '-sint', '10ms', '-flush', '60s', ...keys, ...kept], name));
  }
  await connection.close().catch(() => {});
  const quiet = start(t, ['-uri', 'none', '--report']);
  let over = false;
  const first = Promise.all(runs.map(({ ended }) => ended)).then(() => (over = true));
  const faults = await torment(proxy, () => over);
  await first;

  const { channel: reader } = await foreignClient(t, broker.uri);
  const quietMs = Number((await quiet.ended).stdout);
  const sums = { samples: 0, duplicates: 0, slowest: 0 };
  for (const { queue, ended } of runs) {
    const { code, stdout, stderr } = await ended;
    t.equal(code, 0);
    t.notMatch(stderr, /internal error|not delivered/);
    const messages = await drain(reader, queue);
    const numbers = messages.map(({ properties }) => Number(properties.messageId.split('-')[1]));
    const unique = [...new Set(numbers)];
    t.strictSame(
      unique.findIndex((number, index) => number !== index + 1),
      -1,
      'none lost, none out of order',
    );
    const last = JSON.parse(String(messages.at(-1)?.content));
    t.match(last, { event: 'exited', dropped: 0, exit_status: 0 });
    sums.samples += unique.length;
    sums.duplicates += numbers.length - unique.length;
    sums.slowest = Math.max(sums.slowest, Number(stdout) / quietMs);
    await reader.deleteQueue(queue);
  }
  t.strictSame(spool.files(''), [], 'nothing is left in the spool');
  t.ok(sums.samples >= SAMPLES_MIN, `${sums.samples} samples`);
  t.ok(
    sums.slowest < (LONG ? 1.05 : 1.5),
    `the slowest job took ${sums.slowest.toFixed(3)} times as long as one without a broker`,
  );
  report(
    `chaos: ${sums.samples} messages of ${BOXES} boxes through ${faults}: 0 lost, 0 out of order, ${sums.duplicates} came twice; ` +
      `slowest job against the same without a broker: ${sums.slowest.toFixed(3)}`,
  );
});

/** Until the jobs are nearly over; then the broker is there for good. */
async function torment(proxy: TcpProxy, over: () => boolean): Promise<string> {
  const counts = new Map<string, number>();
  const startedMs = performance.now();
  const faults: [string, () => unknown][] = [
    ['drops', () => proxy.drop()],
    ['delays', () => delayed(proxy)],
    ['resets', () => proxy.reset()],
    ['half-open links', () => proxy.halfOpen()],
    ['blackholes', () => swallowed(proxy)],
    [
      'outages',
      () =>
        proxy
          .down()
          .then(() => pause(1_000))
          .then(() => proxy.up()),
    ],
    ['restarts', () => broker.restart()],
    ['kills', () => broker.kill9().then(() => broker.start())],
  ];
  for (let turn = 0; !over() && performance.now() - startedMs < (JOB_SECONDS - 3) * 1000; turn++) {
    const [name, fault] = faults[turn % faults.length]!;
    await fault();
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await pause(LONG ? 700 : 200);
  }
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
}

async function delayed(proxy: TcpProxy): Promise<void> {
  proxy.delay(150);
  await pause(1_000);
  proxy.delay(0);
  // What was delayed must not be overtaken: a stream whose bytes change their order is no TCP.
  proxy.reset();
}

async function swallowed(proxy: TcpProxy): Promise<void> {
  proxy.blackhole(true);
  await pause(1_500);
  proxy.blackhole(false);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function drain(channel: ForeignChannel, queue: string): Promise<Pick<GetMessage, 'properties' | 'content'>[]> {
  const { messageCount } = await channel.checkQueue(queue);
  const messages: Pick<GetMessage, 'properties' | 'content'>[] = [];
  await channel.consume(queue, (message) => message !== null && messages.push(message), { noAck: true });
  await until(() => messages.length >= messageCount, 'all are read');
  return messages;
}
