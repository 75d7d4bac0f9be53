import amqp, { type Channel, type ConfirmChannel, type Connection, type Options } from 'amqplib/callback_api';
import type { PublishResult } from '../model/types.js';
import { type ConnectionRequest, connectionOptions, type Endpoint } from './config.js';
import { closeChannel, ensureExchange, withExchange } from './exchange.js';
import type { Opened, Session } from './link.js';
import './handshake.js';

/**
 * A connection that only publishes. It uses amqplib directly, because rascal lends a channel to one message until its
 * confirm and so publishes one message per round trip. Samples and events go over one confirm channel, in order and
 * many in flight. Messages that need no confirm go over another channel, which is opened again if the broker closes it.
 */
export interface Publisher extends Session {
  /** `blocked` and `unblocked` tell that a memory or disk alarm of the broker begins or ends. */
  on(event: 'blocked' | 'unblocked', listener: (reason?: unknown) => void): void;
  /** Publishes with a confirm. Calls `done` at most once, and not at all if the connection ends first. */
  publish(message: Publication, done: (sent: PublishResult) => void): void;
  /** Opens another confirm channel. If that one ends, the connection stays up. */
  openSecondChannel(channel: SecondChannel): void;
  /** Declares another exchange if it does not exist, on channels of its own; the connection stays up if that fails. */
  ensureExchange(exchange: string, done: (error?: unknown) => void): void;
  /** Publishes without a confirm. Calls `done` once the message has been handed to the connection, or is lost. */
  send(message: Publication, done: () => void): void;
  /**
   * Calls `listener` when the broker refuses a message of `send`: the exchange does not exist, or a permission is
   * missing.
   */
  onRefused(listener: (error: Error) => void): void;
}

export interface SecondChannel {
  up(publish: Publisher['publish'], close: () => void): void;
  /** The channel has ended, with the reason; may be called more than once. */
  ended(error: unknown): void;
  /** The broker has returned a `mandatory` message, because it could route it to no queue. */
  returned?(): void;
}

export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

/** Connects, and checks the exchange or declares it; link.ts supervises the connection. */
export function openPublisher(request: ConnectionRequest, { made, up, fail }: Opened<Publisher>): void {
  const { socketOptions } = connectionOptions(request);
  // amqplib throws IllegalOperationError if the connection has ended meanwhile.
  const guarded = (step: () => void) => {
    try {
      step();
    } catch (error) {
      fail(error);
    }
  };
  const ready = (connection: Connection, channel: ConfirmChannel, unconfirmed: Unconfirmed) => {
    channel.on('error', fail);
    // Deferred, since the `error` event with the broker's reason must win.
    channel.on('close', () => setImmediate(fail, new Error('the channel was closed')));
    withExchange(request, connection, channel, (error) =>
      error ? fail(error) : up(publisherOn(request, connection, channel, unconfirmed, fail)),
    );
  };
  amqp.connect(uriWithOptions(request), socketOptions, (error, connection: Connection) => {
    if (error) return fail(error);
    connection.on('error', fail);
    connection.on('close', () => fail(new Error('Unexpected close')));
    const unconfirmed = unconfirmedChannel(connection);
    made({ close: (done) => closeAll(connection, unconfirmed, done), release() {} });
    guarded(() =>
      connection.createConfirmChannel((error, channel) =>
        error ? fail(error) : guarded(() => ready(connection, channel, unconfirmed)),
      ),
    );
  });
}

function publisherOn(
  { endpoint, site }: ConnectionRequest,
  connection: Connection,
  confirms: ConfirmChannel,
  unconfirmed: Unconfirmed,
  fail: (error: unknown) => void,
): Publisher {
  return {
    close: (done) => closeAll(connection, unconfirmed, done),
    release() {},
    on: (event, listener) => connection.on(event, listener),
    onRefused: unconfirmed.onRefused,
    publish: publishOn(endpoint, confirms, fail),
    openSecondChannel: (channel) => openSecondChannel(endpoint, connection, channel),
    ensureExchange: (exchange, done) => ensureExchange(connection, exchange, site, done),
    send({ exchange, routingKey, content, options }, done) {
      unconfirmed.use((channel) => {
        try {
          channel?.publish(exchange, routingKey, content, named(options, endpoint));
        } catch {
          // IllegalOperationError: the channel or the connection has just ended, and its own event says so.
        }
        done();
      });
    },
  };
}

function openSecondChannel(
  endpoint: Endpoint,
  connection: Connection,
  { up, ended, returned = () => {} }: SecondChannel,
): void {
  try {
    connection.createConfirmChannel((error, channel) => {
      if (error) return ended(error);
      channel.on('error', ended);
      channel.on('close', () => setImmediate(ended, new Error('the channel was closed')));
      channel.on('return', returned);
      up(publishOn(endpoint, channel, ended), () => closeChannel(channel));
    });
  } catch (error) {
    ended(error); // IllegalOperationError: the connection has ended
  }
}

/** Adds our `user_id`, which the broker checks, so that a reader can rely on it to know who published the message. */
function named(options: Options.Publish, { sender }: Endpoint): Options.Publish {
  return sender === '' ? options : { ...options, userId: sender };
}

function publishOn(endpoint: Endpoint, channel: ConfirmChannel, fail: (error: unknown) => void): Publisher['publish'] {
  return ({ exchange, routingKey, content, options }, done) => {
    try {
      channel.publish(exchange, routingKey, content, named(options, endpoint), (error: Error | null) => {
        if (error === null) done('confirmed');
        else if (error.message === 'message nacked') done('refused');
        // Otherwise the channel has ended, and its own event says so.
      });
    } catch (error) {
      setImmediate(fail, error);
    }
  };
}

interface Unconfirmed {
  use(then: (channel: Channel | undefined) => void): void;
  onRefused(listener: (error: Error) => void): void;
  close(done: () => void): void;
}

/**
 * amqplib writes the channels' frames in turn, so closing the connection would overtake messages that were just sent.
 * So the channel is closed first: the broker confirms that after everything that it got over the channel.
 */
function closeAll(connection: Connection, unconfirmed: Unconfirmed, done: () => void): void {
  unconfirmed.close(() => {
    try {
      connection.close(() => done());
    } catch {
      done(); // IllegalOperationError: it has ended already
    }
  });
}

/** A channel without confirms, opened when it is first needed, and again after the broker has closed it. */
function unconfirmedChannel(connection: Connection): Unconfirmed {
  let refused: (error: Error) => void = () => {};
  let present: Channel | undefined;
  const forget = (channel: Channel) => () => {
    if (present === channel) present = undefined;
  };
  const use: Unconfirmed['use'] = (then) => {
    if (present !== undefined) return then(present);
    try {
      connection.createChannel((error, channel) => {
        if (error) return then(undefined);
        present = channel;
        // If the broker refuses a message (no such exchange, no permission), it drops it and closes the channel.
        channel.on('error', (error: Error) => refused(error));
        channel.on('close', forget(channel));
        then(channel);
      });
    } catch {
      then(undefined); // IllegalOperationError: the connection has ended, and its own event says so
    }
  };
  return {
    use,
    onRefused(listener) {
      refused = listener;
    },
    close(done) {
      const last = present;
      present = undefined;
      try {
        if (last === undefined) done();
        else last.close(() => done());
      } catch {
        done(); // IllegalOperationError: it has ended already
      }
    },
  };
}

/** amqplib reads the heartbeat, frame size and the like from the URI. A value that the user gave in the URI wins. */
export function uriWithOptions(request: ConnectionRequest): string {
  const url = new URL(request.endpoint.uri);
  for (const [name, value] of Object.entries(connectionOptions(request).options)) {
    if (!url.searchParams.has(name)) url.searchParams.set(name, String(value));
  }
  return url.href;
}
