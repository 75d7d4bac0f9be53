// By its path, because amqplib exports it to nobody; the bundles have it, like all of amqplib.
import { Connection } from '../../node_modules/amqplib/lib/connection.js';

/**
 * A broker that refuses a connection at its last step, for a limit of connections or for the vhost, says why in the frame
 * that closes it. amqplib 2.3 reads that frame and reports only that it was another one than expected; the same frame a
 * step earlier it reports with the broker's words. `step` hands it each frame of the handshake, and nothing else.
 */
interface Frame {
  readonly id?: number;
  readonly fields?: { readonly replyCode: number; readonly replyText: string };
}
/** Class 10, method 50 of AMQP 0-9-1. */
const CONNECTION_CLOSE = (10 << 16) | 50;

type Next = (error: Error | null, frame?: Frame) => void;

const { step } = Connection.prototype;

Connection.prototype.step = function (this: Connection, next: Next): void {
  step.call(this, (error: Error | null, frame?: Frame) => {
    if (error === null && frame?.id === CONNECTION_CLOSE && frame.fields !== undefined) {
      const { replyCode, replyText } = frame.fields;
      next(new Error(`Handshake terminated by server: ${replyCode} with message "${replyText}"`));
    } else next(error, frame);
  });
};
