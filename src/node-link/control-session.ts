import amqp, { type Channel, type Connection } from 'amqplib/callback_api';
import { type ConnectionRequest, connectionOptions, controlQueueOptions } from '../amqp/config.js';
import { closeChannel, ensureExchange } from '../amqp/exchange.js';
import type { Opened, Session } from '../amqp/link.js';
import type { Delivery } from '../amqp/message.js';
import { uriWithOptions } from '../amqp/publisher.js';
import '../amqp/handshake.js';

/**
 * The connection of a node that takes commands: one exclusive queue, and a channel that consumes it. It uses amqplib
 * directly, because rascal binds one key after the other, and none later. Bindings are made on a channel of their own:
 * if the broker refuses one, it closes that channel, and the queue goes on.
 */
export interface ControlSession extends Session {
  consume(take: (delivery: Delivery, ack: () => void) => void, done: () => void): void;
  /** Tells how many messages wait in the queue, after every delivery that was sent before; 0 if the connection ends. */
  waiting(done: (messages: number) => void): void;
  openBinder(done: (error: unknown, binder?: Binder) => void): void;
  /** Declares an exchange if it does not exist. */
  ensureExchange(exchange: string, done: (error?: unknown) => void): void;
}

export interface BindingKey {
  readonly exchange: string;
  readonly key: string;
}

/** A channel that binds the queue. After an error it is of no use any more. */
export interface Binder {
  /** Binds all keys without waiting for each; `done` comes once the broker has made all of them. */
  bindAll(keys: readonly BindingKey[], done: (error: unknown) => void): void;
  unbind(key: BindingKey, done: (error: unknown) => void): void;
  close(): void;
}

/** For a thousand boxes, and a burst from an operator's script. */
const QUEUE_MAX = { messages: 100_000, bytes: 64 * 1024 * 1024 };
/** Enough to keep the connection busy, and few enough to keep the event loop free for other work. */
export const PREFETCH = 16;
/** queue.bind, class 50, method 20 of AMQP 0-9-1. amqplib has no way to send it with `no-wait`. */
const QUEUE_BIND = (50 << 16) | 20;

export function openControl(
  request: ConnectionRequest,
  queue: string,
  { made, up, fail }: Opened<ControlSession>,
): void {
  const { socketOptions } = connectionOptions(request);
  amqp.connect(uriWithOptions(request), socketOptions, (error, connection: Connection) => {
    if (error) return fail(error);
    connection.on('error', fail);
    connection.on('close', () => fail(new Error('Unexpected close')));
    const ended = { close: (done: () => void) => connection.close(() => done()), release() {} };
    made(ended);
    try {
      connection.createChannel((error, channel) => {
        if (error) return fail(error);
        channel.on('error', fail);
        channel.on('close', () => setImmediate(fail, new Error('the channel was closed')));
        channel.prefetch(PREFETCH);
        channel.assertQueue(queue, controlQueueOptions(request.site, QUEUE_MAX), (error) => {
          if (error) fail(error);
          else up(sessionOn(request, queue, connection, channel, ended, fail));
        });
      });
    } catch (error) {
      fail(error); // IllegalOperationError: the connection has ended meanwhile
    }
  });
}

function sessionOn(
  { site }: ConnectionRequest,
  queue: string,
  connection: Connection,
  channel: Channel,
  session: Session,
  fail: (error: unknown) => void,
): ControlSession {
  // amqplib throws IllegalOperationError if the channel or the connection has ended.
  const guarded = (step: () => void, failed: (error: unknown) => void) => {
    try {
      step();
    } catch (error) {
      failed(error);
    }
  };
  return {
    ...session,
    consume(take, done) {
      const next = (message: amqp.Message | null) => {
        if (message === null) return fail(new Error('the queue was cancelled by the broker'));
        const ack = () =>
          guarded(
            () => channel.ack(message),
            () => {}, // its own event says so
          );
        take(message as unknown as Delivery, ack);
      };
      guarded(() => channel.consume(queue, next, {}, (error) => (error ? fail(error) : done())), fail);
    },
    waiting(done) {
      const none = () => done(0);
      guarded(() => channel.checkQueue(queue, (error, ok) => (error ? none() : done(ok.messageCount))), none);
    },
    openBinder(done) {
      guarded(
        () =>
          connection.createChannel((error, own) => {
            if (error) return done(error);
            own.on('error', () => {}); // the callback of the request gets the same error
            done(null, binderOn(own, queue, guarded));
          }),
        done,
      );
    },
    ensureExchange: (exchange, done) => ensureExchange(connection, exchange, site, done),
  };
}

/** What amqplib's channels have, and its types do not. */
interface Sender {
  sendImmediately(method: number, fields: object): void;
}

function binderOn(
  channel: Channel,
  queue: string,
  guarded: (step: () => void, failed: (error: unknown) => void) => void,
): Binder {
  return {
    bindAll(keys, done) {
      guarded(() => {
        for (const { exchange, key } of keys) {
          const fields = { ticket: 0, queue, exchange, routingKey: key, nowait: true, arguments: {} };
          (channel as unknown as Sender).sendImmediately(QUEUE_BIND, fields);
        }
        // The broker answers in order, so the answer to this comes after all bindings.
        channel.checkQueue(queue, (error) => done(error ?? null));
      }, done);
    },
    unbind({ exchange, key }, done) {
      guarded(() => channel.unbindQueue(queue, exchange, key, {}, (error) => done(error ?? null)), done);
    },
    close: () => closeChannel(channel),
  };
}
