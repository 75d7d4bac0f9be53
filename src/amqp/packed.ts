import type { Outgoing } from '../model/types.js';

/**
 * A message as it waits: its bytes, once, and what its properties are made of. What the box has made it from may be many
 * times as large, and is let go of.
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

/** Up to here Node's pool is cheaper than an allocation; of longer ones it would leave up to a third of each slab unused. */
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
