// test-timeout: 240s
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fakeBox, privateBroker } from '../fixtures/broker.js';
import { executable } from '../fixtures/operated-job.js';
import { line, makeOwn, testSpool } from '../fixtures/spool.js';

/** Whatever the broker does, a tool ends: no wait is longer than `--wait`. */

const WAIT_MS = 1_000;
/** Start and end of the tool on a busy machine; without the bounds it would take for ever. */
const SPARE_MS = 20_000;

const broker = await privateBroker(t);

interface Ran {
  readonly status: number;
  readonly text: string;
  readonly tookMs: number;
}

function tool(words: readonly string[]): Promise<Ran> {
  const sinceMs = performance.now();
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], PBOX_CONFIG: 'none' };
    execFile(executable, words, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code);
      resolve({ status, text: stdout + stderr, tookMs: performance.now() - sinceMs });
    });
  });
}

function spoolWithFile(t: Test): string {
  const spool = testSpool(t);
  const uid = process.geteuid?.() ?? 0;
  const { identity } = fakeBox({ box: 'b' });
  const message = { exchange: 'amq.topic', routingKey: 'k', options: { messageId: 'b-1' }, body: '{}' };
  const text = line({ spool: 1, identity, from: 1, first: 1 }) + line({ n: 1, ...message });
  writeFileSync(join(makeOwn(spool, uid), 'b.spool'), text, { mode: 0o600 });
  return spool.dir;
}

/** A broker that takes the connection and says nothing, or goes on saying nothing that makes sense. */
async function silentBroker(t: Test, trickle: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const timer = setInterval(() => socket.write(trickle), 100);
    socket.on('close', () => clearInterval(timer));
    if (trickle === '') clearInterval(timer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

const ways = (t: Test, uri: string): Record<string, string[]> => ({
  ctl: ['ctl', '-uri', uri, '--wait', '1s', '--all', 'ping'],
  'ctl without answers': ['ctl', '-uri', uri, '--wait', '0', '--all', 'ping'],
  'spool flush': ['spool', 'flush', '-uri', uri, '--wait', '1s', '--spool-dir', spoolWithFile(t)],
});

t.test('a broker that is in a memory alarm is named, and not waited for any longer', async (t) => {
  await broker.ctl('set_vm_memory_high_watermark', '0.00001');
  t.teardown(() => broker.ctl('set_vm_memory_high_watermark', '0.6'));
  for (const [name, words] of Object.entries(ways(t, broker.uri))) {
    const { status, text, tookMs } = await tool(words);
    t.match(text, /it takes no messages now: memory or disk alarm \(low on memory\)/, `${name}: ${text}`);
    t.not(status, 0, name);
    t.ok(tookMs < 5 * WAIT_MS + SPARE_MS, `${name}: ${tookMs} ms`);
  }
});

for (const [what, trickle, scheme] of [
  ['accepts and says nothing', '', 'amqp'],
  ['sends a byte now and then', '\0', 'amqp'],
  ['never ends the TLS handshake', '', 'amqps'],
] as const)
  t.test(`a broker that ${what} is given up`, async (t) => {
    const uri = `${scheme}://guest:guest@${await silentBroker(t, trickle)}`;
    for (const [name, words] of Object.entries(ways(t, uri))) {
      const { status, text, tookMs } = await tool(words);
      t.equal(status, 125, `${name}: ${text}`);
      t.ok(tookMs < 5 * WAIT_MS + SPARE_MS, `${name}: ${tookMs} ms`);
    }
  });
