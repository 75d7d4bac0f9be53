import type amqp from 'amqplib';
import { randomHex } from 'cgroup-utils-native';
import type { Endpoint } from '../../amqp/config.js';
import { describe } from '../../amqp/failure.js';
import { keySegment } from '../../amqp/keys.js';
import { type Brokers, connectFirst, leave } from '../../amqp/tool-connection.js';
import { BrokerError, isBrokerError } from '../../errors.js';
import { type FeedHandlers, Link, type MessageFeed } from './link.js';

/**
 * Samples and events as they are published, from a queue that goes with its connection. The queue is bounded and drops the
 * oldest messages, so a reader that is slow or stopped costs the broker little, and boxes nothing.
 */

export interface FeedOptions extends Brokers, Pick<FeedHandlers, 'onMessage' | 'onState'> {
  readonly exchange: string;
  /**
   * Binding keys, the widest first: those that the broker lets us bind are used, since an operator may read the messages of
   * all boxes and a user only those of their own.
   */
  readonly bindings: readonly (readonly string[])[];
  /** Name of the connection on the broker's management pages. */
  readonly name: string;
  /** Unacknowledged messages at most; 0 acknowledges nothing, and the broker sends as fast as we read. */
  readonly prefetch: number;
}

const CONNECT_MS = 8_000;
const QUEUE_MAX = { messages: 50_000, bytes: 128 * 1024 * 1024 };
/** The broker's reply code for a missing permission. */
const ACCESS_REFUSED = 403;

export class Feed implements MessageFeed {
  readonly #options: FeedOptions;
  readonly #link: Link;
  #connection: amqp.ChannelModel | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#link = new Link({
      connect: () => this.#connect(),
      isPassing: isBrokerError,
      onDown: (why) => options.onState({ up: false, why }),
    });
  }

  open(): Promise<void> {
    return this.#link.open();
  }

  async close(): Promise<void> {
    this.#link.close();
    if (this.#connection !== undefined) await leave(this.#connection);
  }

  /** @returns `lost` settles when the link is lost, with the reason. @throws BrokerError */
  async #connect(): Promise<{ readonly lost: Promise<string> }> {
    const { endpoint, connection } = await connectFirst(this.#options, CONNECT_MS, this.#options.name);
    let fail: (error: unknown) => void = () => {};
    const lost = new Promise<string>((resolve) => {
      fail = (error) => resolve(describe(error, endpoint).text);
    });
    connection.on('error', fail);
    connection.on('close', () => fail(new Error('Unexpected close')));
    this.#connection = connection;
    try {
      await Promise.race([
        this.#consume(connection, endpoint, fail),
        lost.then((why) => Promise.reject(new BrokerError(why))),
      ]);
      this.#options.onState({ up: true, at: endpoint.shown });
      return { lost };
    } catch (error) {
      await leave(connection);
      throw isBrokerError(error) ? error : new BrokerError(describe(error, endpoint).text, { cause: error });
    }
  }

  async #consume(connection: amqp.ChannelModel, { user }: Endpoint, fail: (error: unknown) => void): Promise<void> {
    const { bindings } = this.#options;
    for (const [index, keys] of bindings.entries()) {
      const channel = await connection.createChannel();
      let refused = false;
      channel.on('error', (error: Error & { code?: number }) => {
        if (error.code === ACCESS_REFUSED && index < bindings.length - 1) refused = true;
        else fail(error);
      });
      try {
        await this.#subscribe(channel, user, keys, fail);
        return;
      } catch (error) {
        if (!refused) throw error;
      }
    }
    throw new BrokerError('no routing key to bind');
  }

  async #subscribe(
    channel: amqp.Channel,
    user: string,
    keys: readonly string[],
    fail: (error: unknown) => void,
  ): Promise<void> {
    const { exchange, prefetch, onMessage } = this.#options;
    // A site's permissions allow each user queues of this name (docs/security.md).
    const queue = `proc_box.reply.${keySegment(user)}.${randomHex(8)}`;
    await channel.assertQueue(queue, {
      exclusive: true,
      durable: false,
      autoDelete: true,
      arguments: {
        'x-max-length': QUEUE_MAX.messages,
        'x-max-length-bytes': QUEUE_MAX.bytes,
        'x-overflow': 'drop-head',
      },
    });
    for (const key of keys) await channel.bindQueue(queue, exchange, key);
    if (prefetch > 0) await channel.prefetch(prefetch);
    const ack = (message: amqp.ConsumeMessage) => {
      try {
        channel.ack(message);
      } catch {
        // IllegalOperationError: the channel has ended, and the link is being made anew.
      }
    };
    await channel.consume(
      queue,
      (message) => {
        if (message === null) fail(new Error('the broker deleted the queue that this program reads'));
        else if (!this.#link.isClosed) onMessage(message.content, () => prefetch > 0 && ack(message));
      },
      { noAck: prefetch === 0 },
    );
  }
}
