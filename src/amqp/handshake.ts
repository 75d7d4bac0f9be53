// Imported by its path, because amqplib does not export it. The bundles contain it, like the rest of amqplib.
import { Connection } from '../../node_modules/amqplib/lib/connection.js';

/**
 * A broker that refuses a connection at the last step of the handshake, because of a connection limit or the vhost,
 * says why in the frame that closes it. amqplib 2.3 reports only that it expected another frame; one step earlier it
 * would report the broker's words. `step` gets each frame of the handshake and no others, so it is the place to do the
 * same.
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
