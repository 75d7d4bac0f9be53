import type { DeliveryOptions, PublishChannel } from '../spool/index.js';
import type { Publisher } from './publisher.js';

/**
 * Channels for messages from the spool, one at a time. If the broker refuses a message, it closes the channel that
 * carried it; the connection stays up, and the next call opens a new channel.
 */
export function publishChannels(publisher: Publisher, stop: AbortSignal, openMs: number): DeliveryOptions['channel'] {
  let present: ClosingChannel | undefined;
  return async () => {
    if (present === undefined || present.hasEnded) present = await openChannel(publisher, stop, openMs);
    return present;
  };
}

interface ClosingChannel extends PublishChannel {
  readonly hasEnded: boolean;
}

/** @returns undefined if the link is lost or does not answer */
function openChannel(publisher: Publisher, stop: AbortSignal, openMs: number): Promise<ClosingChannel | undefined> {
  return new Promise((resolve) => {
    let end: string | null | undefined;
    let listener: (why: string | null) => void = () => {};
    const ended = (error: unknown) => {
      if (end !== undefined) return;
      end = refusalIn(error);
      listener(end);
      resolve(undefined);
    };
    setTimeout(() => resolve(undefined), openMs).unref();
    if (stop.aborted) return resolve(undefined);
    publisher.openSecondChannel({
      up: (publish, close) =>
        resolve({
          publish: ({ exchange, routingKey, options, body }, done) =>
            publish({ exchange, routingKey, options, content: Buffer.from(body) }, done),
          onEnded(next) {
            listener = next;
            if (end !== undefined) next(end);
          },
          close() {
            end ??= null;
            close();
          },
          get hasEnded() {
            return end !== undefined;
          },
        }),
      ended,
    });
  });
}

/** The broker's reason, or amqplib's for a message that it cannot encode; null if the link or channel simply ended. */
function refusalIn(error: unknown): string | null {
  const { code, name, message } = error as Error & { code?: unknown };
  if (typeof code === 'number') return /"([A-Z_]+ - .*)"/s.exec(message)?.[1] ?? message;
  return name === 'TypeError' || name === 'RangeError' ? message : null;
}
