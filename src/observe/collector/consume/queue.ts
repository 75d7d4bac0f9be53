import amqp, { type Channel, type Connection } from 'amqplib/callback_api';
import { type ConnectionRequest, connectionOptions } from '../../../amqp/config.js';
import { withExchange } from '../../../amqp/exchange.js';
import type { Opened, Session } from '../../../amqp/link.js';
import { uriWithOptions } from '../../../amqp/publisher.js';
import type { Delivered } from './intake.js';
import '../../../amqp/handshake.js';

/**
 * The connection that takes statistics and events from a durable queue. A queue that is there already is used as it is, so that a
 * site can make it a quorum queue or bound it otherwise; else a classic one is declared.
 */
export interface QueueSession extends Session {
  consume(take: (delivered: Delivered) => void, done: () => void): void;
}

export interface QueueOptions {
  readonly queue: string;
  /** Binding keys, such as `proc_box.stats.#`. */
  readonly keys: readonly string[];
  /** Messages that the broker may send before it gets acknowledgements. */
  readonly prefetch: number;
  /** Bound of the queue, in bytes: the broker drops the oldest messages beyond. */
  readonly maxBytes: number;
}

export function openQueue(
  request: ConnectionRequest,
  options: QueueOptions,
  { made, up, fail }: Opened<QueueSession>,
): void {
  const { socketOptions } = connectionOptions(request);
  amqp.connect(uriWithOptions(request), socketOptions, (error, connection: Connection) => {
    if (error) return fail(error);
    connection.on('error', fail);
    connection.on('close', () => fail(new Error('Unexpected close')));
    const ended: Session = { close: (done) => connection.close(() => done()), release() {} };
    made(ended);
    guarded(fail, () =>
      openChannel(connection, fail, (channel) =>
        withExchange(request, connection, channel, (error) => {
          if (error) return fail(error);
          ensureQueue(connection, request, options, fail, () => {
            guarded(fail, () => channel.prefetch(options.prefetch));
            up({ ...ended, consume: (take, done) => consume(channel, options.queue, take, done, fail) });
          });
        }),
      ),
    );
  });
}

function openChannel(connection: Connection, fail: (error: unknown) => void, opened: (channel: Channel) => void): void {
  connection.createChannel((error, channel) => {
    if (error) return fail(error);
    channel.on('error', fail);
    // Deferred, since the `error` event with the broker's reason must win.
    channel.on('close', () => setImmediate(fail, new Error('the channel was closed')));
    guarded(fail, () => opened(channel));
  });
}

/** Declares and binds the queue, on channels of their own, because the broker closes a channel to say that there is no such queue. */
function ensureQueue(
  connection: Connection,
  { exchange }: ConnectionRequest,
  { queue, keys, maxBytes }: QueueOptions,
  fail: (error: unknown) => void,
  done: () => void,
): void {
  const bind = (channel: Channel, left: readonly string[]) => {
    const [key, ...others] = left;
    if (key === undefined) {
      channel.removeAllListeners('close');
      channel.close(() => {});
      return done();
    }
    channel.bindQueue(queue, exchange, key, {}, (error) =>
      error ? fail(error) : guarded(fail, () => bind(channel, others)),
    );
  };
  connection.createChannel((error, probe) => {
    if (error) return fail(error);
    probe.on('error', () => {}); // the callback of the request gets the same error
    guarded(fail, () =>
      probe.checkQueue(queue, (missing) => {
        if (!missing) return guarded(fail, () => bind(probe, keys));
        if (!/NOT_FOUND/.test(String(missing))) return fail(missing);
        guarded(fail, () =>
          openChannel(connection, fail, (channel) =>
            channel.assertQueue(queue, { durable: true, arguments: { 'x-max-length-bytes': maxBytes } }, (error) =>
              error ? fail(error) : guarded(fail, () => bind(channel, keys)),
            ),
          ),
        );
      }),
    );
  });
}

function consume(
  channel: Channel,
  queue: string,
  take: (delivered: Delivered) => void,
  done: () => void,
  fail: (error: unknown) => void,
): void {
  const next = (message: amqp.Message | null) => {
    if (message === null) return fail(new Error('the broker cancelled the consumer of the queue'));
    const ack = () => {
      try {
        channel.ack(message, true);
      } catch {
        // IllegalOperationError: the channel has gone. The broker sends the message again, and it is known by its id.
      }
    };
    take({ body: message.content, ack });
  };
  guarded(fail, () => channel.consume(queue, next, {}, (error) => (error ? fail(error) : done())));
}

/** amqplib throws IllegalOperationError if the channel or the connection has ended meanwhile. */
function guarded(fail: (error: unknown) => void, step: () => void): void {
  try {
    step();
  } catch (error) {
    fail(error);
  }
}
