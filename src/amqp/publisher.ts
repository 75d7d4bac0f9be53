import amqp, { type Channel, type ConfirmChannel, type Connection, type Options } from 'amqplib/callback_api';
import type { PublishResult } from '../model/types.js';
import {
  type ConnectionRequest,
  connectionOptions,
  type Endpoint,
  isPredeclared,
  predeclaredOfOtherType,
} from './config.js';
import { IS_OF_OTHER_TYPE } from './failure-rule.js';
import type { Opened, Session } from './link.js';
import './handshake.js';

/**
 * A connection that only publishes: on amqplib itself, because rascal lends a channel to one publication until its
 * confirm, which is one message a round trip. Samples go over one confirm channel, many in flight, in order; what needs
 * no confirm goes over a channel of its own, which is made anew where the broker has closed it.
 */
export interface Publisher extends Session {
  /** `blocked` and `unblocked`: a memory or disk alarm of the broker. */
  on(event: 'blocked' | 'unblocked', listener: (reason?: unknown) => void): void;
  /** With a confirm; `done` is called at most once: not where the connection ends first. */
  publish(message: Publication, done: (sent: PublishResult) => void): void;
  /** Another confirm channel, whose end is not the end of the connection. */
  openSecondChannel(channel: SecondChannel): void;
  /** Without a confirm; `done` is called once it is handed to the connection, or lost. */
  send(message: Publication, done: () => void): void;
  /** The broker has refused what `send` has sent: no such exchange, or no permission. */
  onRefused(listener: (error: Error) => void): void;
}

export interface SecondChannel {
  up(publish: Publisher['publish'], close: () => void): void;
  /** With why; more than once. */
  ended(error: unknown): void;
  /** A message that was `mandatory`, and that no queue gets. */
  returned?(): void;
}

export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

/** Connects, and looks the exchange up or declares it; link.ts supervises. */
export function openPublisher(request: ConnectionRequest, { made, up, fail }: Opened<Publisher>): void {
  const { socketOptions } = connectionOptions(request);
  // amqplib throws IllegalOperationError where the connection has ended meanwhile.
  const guarded = (step: () => void) => {
    try {
      step();
    } catch (error) {
      fail(error);
    }
  };
  const ready = (connection: Connection, channel: ConfirmChannel, unconfirmed: Unconfirmed) => {
    channel.on('error', fail);
    // The broker says why first.
    channel.on('close', () => setImmediate(fail, new Error('the channel was closed')));
    withExchange(request, connection, channel, (error) =>
      error ? fail(error) : up(publisherOn(request.endpoint, connection, channel, unconfirmed, fail)),
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

function withExchange(
  { exchange, declare, site }: ConnectionRequest,
  connection: Connection,
  channel: Channel,
  done: (error?: unknown) => void,
): void {
  const options = { durable: true, ...site.exchange?.options };
  if (isPredeclared(exchange)) done(predeclaredOfOtherType(exchange));
  else if (declare) channel.assertExchange(exchange, 'topic', options, done);
  else channel.checkExchange(exchange, (error) => (error ? done(error) : checkType(connection, exchange, done)));
}

/**
 * An exchange of another type takes our messages and gives them to nobody, or to everybody. Only a declaration makes the
 * broker tell the type; it refuses one on a channel, which is lost then. Without the permission to declare nobody tells.
 */
function checkType(connection: Connection, exchange: string, done: (error?: unknown) => void): void {
  connection.createChannel((failed, channel) => {
    if (failed) return done(failed);
    channel.on('error', () => {}); // the callback gets it
    channel.assertExchange(exchange, 'topic', { durable: true }, (error) => {
      if (error) return done(IS_OF_OTHER_TYPE.test(String(error)) ? error : undefined);
      channel.close(() => {});
      return done();
    });
  });
}

function publisherOn(
  endpoint: Endpoint,
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
    send({ exchange, routingKey, content, options }, done) {
      unconfirmed.use((channel) => {
        try {
          channel?.publish(exchange, routingKey, content, named(options, endpoint));
        } catch {
          // IllegalOperationError: the channel or the connection has just ended, which tells by itself.
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

function closeChannel(channel: Channel): void {
  try {
    channel.close(() => {});
  } catch {
    // IllegalOperationError: it has ended already
  }
}

/** With our name, which the broker checks: whoever reads the message can tell by it who has published it, whatever its way. */
function named(options: Options.Publish, { sender }: Endpoint): Options.Publish {
  return sender === '' ? options : { ...options, userId: sender };
}

function publishOn(endpoint: Endpoint, channel: ConfirmChannel, fail: (error: unknown) => void): Publisher['publish'] {
  return ({ exchange, routingKey, content, options }, done) => {
    try {
      channel.publish(exchange, routingKey, content, named(options, endpoint), (error: Error | null) => {
        if (error === null) done('confirmed');
        else if (error.message === 'message nacked') done('refused');
        // Otherwise the channel has ended, and says so itself.
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
 * amqplib writes what each channel has in turn, so the end of the connection overtakes what was just sent: the channel ends
 * first, and the broker confirms that after everything that came over it.
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

/** A channel without confirms, opened when first needed, and again after the broker has closed it. */
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
        // What the broker refuses to send (no such exchange, no permission) closes the channel, and is lost.
        channel.on('error', (error: Error) => refused(error));
        channel.on('close', forget(channel));
        then(channel);
      });
    } catch {
      then(undefined); // IllegalOperationError: the connection has ended, which tells by itself
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

/** Heartbeat, frame size and the like are part of the URI for amqplib; what the URI itself says goes first. */
function uriWithOptions(request: ConnectionRequest): string {
  const url = new URL(request.endpoint.uri);
  for (const [name, value] of Object.entries(connectionOptions(request).options)) {
    if (!url.searchParams.has(name)) url.searchParams.set(name, String(value));
  }
  return url.href;
}
