import type { Outgoing } from '../model/types.js';

/**
 * A waiting message: its content as bytes, and the fields for its properties. It holds no reference to the object that
 * the box made the message from, which may be many times as large.
 */
export class Packed implements Outgoing {
  readonly kind: Outgoing['kind'];
  readonly messageId: string;
  readonly type: string;
  readonly timestamp: number;
  readonly content: Buffer;

  constructor({ kind, messageId, type, timestamp, body }: Outgoing) {
    this.kind = kind;
    this.messageId = messageId;
    this.type = type;
    this.timestamp = timestamp;
    this.content = bytesOf(body);
  }

  get body(): string {
    return this.content.toString();
  }
}

/**
 * Up to this size Node's buffer pool is cheaper than an allocation. Longer messages would waste up to a third of each
 * slab.
 */
const POOLED_MAX_BYTES = 1024;

function bytesOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length <= POOLED_MAX_BYTES) return Buffer.from(text);
  const content = Buffer.allocUnsafeSlow(length);
  content.write(text);
  return content;
}

export function pack(message: Outgoing): Packed {
  return message instanceof Packed ? message : new Packed(message);
}
