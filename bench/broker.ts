import { type ConsumeMessage, connect } from 'amqplib';
import type { Sample } from '../src/model/sample.js';

/** Receives every sample of every box, and sends commands. */
export interface Watcher extends AsyncDisposable {
  /**
   * The next sample from now on for which `fits` holds.
   * @throws Error after `timeoutMs` @default 30000
   */
  sample(fits: (sample: Sample) => boolean, timeoutMs?: number): Promise<Sample>;
  /** Counts of the samples with the cause `start` and `final`. Waits up to 10 s for `expected` final ones. */
  finals(expected: number): Promise<{ readonly firsts: number; readonly finals: number }>;
  /** Publishes a command to one box. Returns when the command has been written to the socket. */
  command(box: string, name: string, args?: readonly string[]): void;
  /** Time from publishing a message to consuming it here, ms. No remote command can be faster. */
  roundTripMs(): Promise<number>;
}

export async function connectWatcher(uri: string): Promise<Watcher> {
  const connection = await connect(uri, { noDelay: true });
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const pattern of ['proc_box.stats.#', 'bench.echo']) await channel.bindQueue(queue, 'amq.topic', pattern);
  const counts = { firsts: 0, finals: 0 };
  const listeners = new Set<(sample: Sample) => void>();
  let echoed = () => {};
  const receive = (message: ConsumeMessage | null) => {
    if (message === null) return;
    if (message.fields.routingKey === 'bench.echo') return echoed();
    const sample = JSON.parse(message.content.toString()) as Sample;
    if (sample.Cause === 'start') counts.firsts += 1;
    if (sample.Cause === 'final') counts.finals += 1;
    for (const listener of [...listeners]) listener(sample);
  };
  await channel.consume(queue, receive, { noAck: true });

  const sample: Watcher['sample'] = (fits, timeoutMs = 30_000) =>
    new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        listeners.delete(listener);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`the expected sample has not arrived within ${timeoutMs} ms`));
      }, timeoutMs);
      const listener = (sample: Sample) => {
        if (!fits(sample)) return;
        end();
        resolve(sample);
      };
      listeners.add(listener);
    });

  return {
    sample,
    async finals(expected) {
      if (counts.finals < expected) await sample(() => counts.finals >= expected, 10_000).catch(() => {});
      return counts;
    },
    command(box, name, args = []) {
      const body = Buffer.from(JSON.stringify({ command: name, arguments: args }));
      channel.publish('amq.topic', `proc_box.remote_control.box.${box}`, body, { contentType: 'application/json' });
    },
    async roundTripMs() {
      const before = performance.now();
      const back = new Promise<void>((resolve) => {
        echoed = resolve;
      });
      channel.publish('amq.topic', 'bench.echo', Buffer.from('{"command":"kill"}'));
      await back;
      return performance.now() - before;
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
    },
  };
}
