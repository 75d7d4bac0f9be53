import amqp, { type ConfirmChannel } from 'amqplib';
import { identityOf, sampleMessage, type Who } from '../../test/fixtures/observed.js';

/** Boxes that only publish: samples of the usual size, without the boxes. */

/** A sample of a small job has about this many bytes with its processes. */
export class Load {
  readonly #channel: ConfirmChannel;
  readonly #close: () => Promise<void>;
  readonly #boxes: readonly Who[];
  readonly #sequences: number[];
  readonly #startedMs = Date.now();
  #next = 0;

  private constructor(channel: ConfirmChannel, close: () => Promise<void>, boxes: readonly Who[]) {
    this.#channel = channel;
    this.#close = close;
    this.#boxes = boxes;
    this.#sequences = boxes.map(() => 0);
  }

  static async connect(uri: string, boxes: number): Promise<Load> {
    const connection = await amqp.connect(uri, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    const who = Array.from({ length: boxes }, (_, index) => ({
      box: `load-${process.pid}-${index}`,
      job: `${10_000 + (index >> 2)}`,
      user: `user${index % 97}`,
      host: `node${index % 501}`,
    }));
    return new Load(channel, () => connection.close(), who);
  }

  /** Sequence numbers that were published, by box. */
  get published(): ReadonlyMap<string, number> {
    return new Map(this.#boxes.map(({ box }, index) => [box, this.#sequences[index]!]));
  }

  /** Publishes samples, box after box. Resolves once the broker has confirmed them. */
  async publish(count: number, exchange = 'amq.topic'): Promise<void> {
    for (let sent = 0; sent < count; sent++) await this.#send(this.#next++ % this.#boxes.length, exchange);
    await this.#channel.waitForConfirms();
  }

  /** Publishes a sample of one box. @param memoryBytes what it uses @returns the job of the box */
  async publishOf(index: number, memoryBytes: number): Promise<string> {
    await this.#send(index, 'amq.topic', memoryBytes);
    await this.#channel.waitForConfirms();
    return this.#boxes[index]!.job!;
  }

  async #send(index: number, exchange: string, memoryBytes?: number): Promise<void> {
    const who = this.#boxes[index]!;
    const sequence = ++this.#sequences[index]!;
    const body = Buffer.from(JSON.stringify(this.#message(who, sequence, memoryBytes)));
    const options = {
      persistent: true,
      messageId: `${who.box}-${sequence}`,
      type: 'proc_box.stats',
      contentType: 'application/json',
    };
    if (!this.#channel.publish(exchange, `proc_box.stats.${who.host}`, body, options))
      await new Promise((resolve) => this.#channel.once('drain', resolve));
  }

  #message(who: Who, sequence: number, memoryBytes?: number) {
    const atMs = this.#startedMs + sequence * 1_000;
    const rss = memoryBytes ?? 1e9 + ((sequence * 7_919) % 1e8);
    return sampleMessage(who, sequence, atMs, {
      Memory: { rss, vms: 2e9, swap: 0 },
      MemoryCgroup: { current: rss + 5e7, swap: 0 },
      CPUTimes: { user: sequence * 0.9, system: sequence * 0.05 },
      CPUPercent: 95,
      IOCounters: {
        read_count: sequence,
        write_count: sequence,
        read_bytes: sequence * 4096,
        write_bytes: sequence * 65_536,
      },
      Timer: { running: true, elapsed_ms: sequence * 1_000, remaining_ms: 3.6e6, limit_ms: 7.2e6 },
      Limits: {
        memory: { value: 4e9, unit: 'bytes', enforcement: 'cgroup2' },
        cpus: { value: 1, unit: 'cpus', enforcement: 'cgroup2' },
      },
      Identity: { ...identityOf(who), scheduler: 'slurm' },
    });
  }

  close(): Promise<void> {
    return this.#close();
  }
}
