import { rename, unlink } from 'node:fs/promises';
import type { Logger } from '../log.js';
import type { JobIdentity } from '../spec/spec.js';
import { EVENT_TYPE, EVENT_VERSION, type EventHead, type SpoolDropped } from '../stats/event.js';
import { examine, messagesOf, openSpooled, type SpoolFile } from './file.js';
import { BAD, boxOf, type Folder, SPOOLED } from './folder.js';
import { encode, type MessageRecord } from './record.js';

/** Publishes what spool files hold, a file at a time, in order, each message under its own id. */

export type Outcome = 'confirmed' | 'refused' | 'unknown';

export interface Delivery {
  /** Publishes one message with a confirm. */
  readonly publish: (message: MessageRecord, done: (outcome: Outcome) => void) => void;
  /** Where the events of a box go; undefined where none may be sent in its name. */
  readonly eventsTo: (identity: JobIdentity) => { readonly exchange: string; readonly routingKey: string } | undefined;
  /** Aborted: the link is lost, or there is no more time. */
  readonly stop: AbortSignal;
  readonly maxAgeMs: number;
  /** A box that lives: the caller. */
  readonly except?: string;
  /** @returns why a message may not be published; undefined where it may */
  readonly check?: (message: MessageRecord) => string | undefined;
  readonly log: Logger;
}

export interface Delivered {
  readonly files: number;
  readonly messages: number;
  /** Lost for age, room or damage; published as well. */
  readonly dropped: number;
  /** Files of boxes that live, or that somebody else delivers. */
  readonly inUse: number;
  /** Files with something that is neither delivered nor given up. */
  readonly left: number;
  /** Files that were set aside. */
  readonly bad: number;
}

export const NOTHING: Delivered = { files: 0, messages: 0, dropped: 0, inUse: 0, left: 0, bad: 0 };

/** In flight at a time: the box's own messages go first. */
const WINDOW = 64;

export async function deliverFolder(folder: Folder, delivery: Delivery): Promise<Delivered> {
  let sum = NOTHING;
  /** Boxes of which something earlier is still to come, from here or from somebody else. */
  const waiting = new Map<string, Partial<Delivered>>();
  for (const name of await folder.names(SPOOLED)) {
    const box = boxOf(name);
    if (box === delivery.except) continue;
    let part = waiting.get(box);
    if (part === undefined) {
      part = delivery.stop.aborted ? { left: 1 } : await deliverNamed(folder, name, delivery);
      if (part.left !== undefined) waiting.set(box, { left: 1 });
      if (part.inUse !== undefined) waiting.set(box, { inUse: 1 });
    }
    sum = add(sum, part);
  }
  return sum;
}

export function add(one: Delivered, other: Partial<Delivered>): Delivered {
  const names = Object.keys(one) as (keyof Delivered)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + (other[name] ?? 0)])) as unknown as Delivered;
}

async function deliverNamed(folder: Folder, name: string, delivery: Delivery): Promise<Partial<Delivered>> {
  const { log } = delivery;
  try {
    const found = await openSpooled(folder, name);
    if (found.kind === 'gone') return {};
    if (found.kind === 'in use') return { inUse: 1 };
    if (found.kind === 'foreign') {
      log.warn(`spool: ${folder.shown(name)} is not touched: ${found.why}`);
      return { left: 1 };
    }
    await using file = found.file;
    return await deliverFile(folder, file, delivery);
  } catch (error) {
    log.warn(`spool: ${folder.shown(name)}: ${(error as Error).message}`);
    return { left: 1 };
  }
}

async function deliverFile(folder: Folder, file: SpoolFile, delivery: Delivery): Promise<Partial<Delivered>> {
  const { log } = delivery;
  const contents = await examine(file);
  const lost = { no_room: contents.noRoom, too_old: 0, damaged: contents.broken, refused: 0 };
  let firstLost = contents.noRoom > 0 ? Math.max(contents.head!.from, contents.through + 1) : 0;
  let identity: JobIdentity | undefined = contents.head?.identity;
  const sending = new Sending(delivery);
  const oldest = (Date.now() - delivery.maxAgeMs) / 1000;
  for await (const message of messagesOf(file, contents.through)) {
    const why = delivery.check?.(message);
    const tooOld = Number(message.options['timestamp'] ?? Number.POSITIVE_INFINITY) < oldest;
    identity ??= identityIn(message);
    if (why !== undefined) log.warn(`spool: ${folder.shown(file.name)}: message ${message.n} is not published: ${why}`);
    if (why !== undefined) lost.refused++;
    else if (tooOld) lost.too_old++;
    else if (!(await sending.send(message))) break;
    else continue;
    firstLost ||= message.n;
  }
  const dropped = lost.no_room + lost.too_old + lost.damaged + lost.refused;
  if (dropped > 0 && identity !== undefined) {
    const to = delivery.eventsTo(identity);
    const sequence = Math.max(1, firstLost || contents.through + 1);
    if (to !== undefined) await sending.send({ n: 0, ...to, ...droppedEvent(identity, sequence, lost) });
  }
  await sending.settle();
  if (sending.failed) {
    // What is with the broker is not sent again; a disk that is full only costs repeats.
    // Nor may it hide what is lost and not yet told.
    const through = Math.min(sending.through, firstLost > 0 ? firstLost - 1 : contents.last);
    if (through > contents.through) await file.handle.write(encode({ through }));
    return { messages: sending.confirmed, left: 1 };
  }
  const spoilt = lost.damaged + lost.refused > 0;
  if (spoilt) {
    await rename(folder.at(file.name), folder.at(file.name + BAD));
    log.warn(
      `spool: ${folder.shown(file.name)}: ${lost.damaged} damaged and ${lost.refused} refused records are lost, ${sending.confirmed} messages were delivered; it was set aside as ${file.name}${BAD}`,
    );
  } else await unlink(folder.at(file.name));
  if (lost.too_old > 0) log.warn(`spool: ${folder.shown(file.name)}: gave up ${lost.too_old} messages: too old`);
  return { files: 1, messages: sending.confirmed, dropped, bad: spoilt ? 1 : 0 };
}

/** A window of messages in flight, and how far they are confirmed without a gap. */
class Sending {
  readonly #delivery: Delivery;
  readonly #stopped: Promise<Outcome>;
  #inFlight: { n: number; outcome: Promise<Outcome> }[] = [];
  /** Highest number up to which all are confirmed. */
  through = 0;
  confirmed = 0;
  failed = false;

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
    const { stop } = delivery;
    this.#stopped = new Promise((resolve) => {
      if (stop.aborted) resolve('unknown');
      else stop.addEventListener('abort', () => resolve('unknown'), { once: true });
    });
  }

  /** @returns false where nothing more can be sent */
  async send(message: MessageRecord): Promise<boolean> {
    if (this.failed) return false;
    const outcome = new Promise<Outcome>((resolve) => this.#delivery.publish(message, resolve));
    this.#inFlight.push({ n: message.n, outcome });
    if (this.#inFlight.length >= WINDOW) await this.#oldest();
    return !this.failed;
  }

  async settle(): Promise<void> {
    while (this.#inFlight.length > 0 && !this.failed) await this.#oldest();
  }

  async #oldest(): Promise<void> {
    const { n, outcome } = this.#inFlight.shift()!;
    if ((await Promise.race([outcome, this.#stopped])) === 'confirmed') {
      this.confirmed++;
      this.through = Math.max(this.through, n);
    } else this.failed = true;
  }
}

/** Stands in the sequence of its box where the first of the lost messages was. */
function droppedEvent(
  identity: JobIdentity,
  sequence: number,
  lost: Omit<SpoolDropped, 'event' | 'messages'>,
): Pick<MessageRecord, 'options' | 'body'> {
  const messages = lost.no_room + lost.too_old + lost.damaged + lost.refused;
  const event: EventHead & SpoolDropped = {
    event: 'spool_dropped',
    version: EVENT_VERSION,
    sequence,
    time: new Date().toISOString(),
    identity,
    state: 'ended',
    messages,
    ...lost,
  };
  return {
    options: {
      persistent: true,
      contentType: 'application/json',
      messageId: `${identity.box}-${sequence}`,
      timestamp: Math.floor(Date.now() / 1000),
      type: EVENT_TYPE,
      appId: 'proc_box',
    },
    body: JSON.stringify(event),
  };
}

/** Of a file whose head is damaged. */
function identityIn({ body }: MessageRecord): JobIdentity | undefined {
  try {
    const value = JSON.parse(body) as { Identity?: JobIdentity; identity?: JobIdentity };
    return value.Identity ?? value.identity;
  } catch {
    return undefined; // no message of ours
  }
}
