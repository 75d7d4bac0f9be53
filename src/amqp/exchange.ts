import type { Channel, Connection } from 'amqplib/callback_api';
import type { SiteConfig } from '../options/rascal-config.js';
import { type ConnectionRequest, isPredeclared, predeclaredOfOtherType } from './config.js';
import { IS_OF_OTHER_TYPE } from './failure-rule.js';

/** Looks exchanges up, and declares those that do not exist. */

const NOT_FOUND = 404;

/** Checks the exchange of a connection or, if an earlier attempt found it missing, declares it. */
export function withExchange(
  { exchange, declare, site }: Pick<ConnectionRequest, 'exchange' | 'declare' | 'site'>,
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
 * An exchange of another type would take our messages and route them to no queue, or to every queue. Only a declaration
 * reveals the type: if it differs, the broker refuses and closes the channel, so this uses a channel of its own.
 * Without the permission to declare, the type stays unknown and the exchange is used.
 */
function checkType(connection: Connection, exchange: string, done: (error?: unknown) => void): void {
  connection.createChannel((failed, channel) => {
    if (failed) return done(failed);
    channel.on('error', () => {}); // the callback below gets the same error
    channel.assertExchange(exchange, 'topic', { durable: true }, (error) => {
      if (error) return done(IS_OF_OTHER_TYPE.test(String(error)) ? error : undefined);
      channel.close(() => {});
      return done();
    });
  });
}

/**
 * Looks an exchange up, and declares it if it does not exist. A refusal closes the channel that asked, so each question
 * has a channel of its own.
 */
export function ensureExchange(
  connection: Connection,
  exchange: string,
  site: SiteConfig,
  done: (error?: unknown) => void,
): void {
  if (isPredeclared(exchange)) return done(predeclaredOfOtherType(exchange));
  const attempt = (declare: boolean, next: (error?: unknown) => void) =>
    onOwnChannel(
      connection,
      (channel, ended) => withExchange({ exchange, declare, site }, connection, channel, ended),
      next,
    );
  attempt(false, (error) => {
    if ((error as { code?: unknown } | undefined)?.code === NOT_FOUND) attempt(true, done);
    else done(error);
  });
}

function onOwnChannel(
  connection: Connection,
  work: (channel: Channel, ended: (error?: unknown) => void) => void,
  done: (error?: unknown) => void,
): void {
  try {
    connection.createChannel((failed, channel) => {
      if (failed) return done(failed);
      channel.on('error', () => {}); // the callback of the request gets the same error
      work(channel, (error) => {
        if (!error) closeChannel(channel);
        done(error || undefined);
      });
    });
  } catch (error) {
    done(error); // IllegalOperationError: the connection has ended
  }
}

export function closeChannel(channel: Channel): void {
  try {
    channel.close(() => {});
  } catch {
    // IllegalOperationError: it has ended already
  }
}
