import { rename, unlink } from 'node:fs/promises';
import type { JobIdentity } from '../options/spec.js';
import { quote } from '../options/words.js';
import type { Delivered, DeliveryOptions } from './delivery.js';
import { droppedEvent, type Lost, sumOf } from './dropped.js';
import { BROKEN_MAX, type Contents, examine, FILE_MAX_BYTES, messagesOf, type SpoolFile } from './file.js';
import { BAD, type Folder } from './folder.js';
import { identityIn } from './identity.js';
import { encode, type MessageRecord } from './record.js';
import { unsendable } from './sendable.js';
import { type PublishChannel, Sending } from './sending.js';

/** The result of delivering a file, or the part of it that one turn had time for. */
export type Part = Partial<Delivered> & { readonly silent?: boolean };

/** Length of a user's turn. */
const TURN_MS = 2_000;

/**
 * Delivers the messages of one file in order, each under its own id. If some can never be delivered, it counts them and
 * sets the file aside. Messages that the broker does not take now stay for the next time.
 * @returns one part per turn
 * @throws Error with `code`
 */
export async function* deliverFile(folder: Folder, file: SpoolFile, delivery: DeliveryOptions): AsyncGenerator<Part> {
  const tooLong = file.bytes > FILE_MAX_BYTES;
  const contents = tooLong ? undefined : await examine(file);
  if (contents === undefined || contents.broken > BROKEN_MAX) {
    const what = tooLong
      ? `it has ${file.bytes} bytes, and no box writes more than ${FILE_MAX_BYTES}`
      : `it has more than ${BROKEN_MAX} damaged records`;
    await setAside(folder, file, delivery, `${what}; none of it was delivered`);
    yield { files: 1, bad: 1 };
    return;
  }
  const doubt = contents.head === undefined ? undefined : delivery.doubt?.(contents.head.identity);
  if (doubt !== undefined) delivery.warn(`${folder.shown(file.name)} stays: ${doubt}`);
  const channel = doubt === undefined ? await delivery.channel() : undefined;
  if (channel === undefined) {
    yield { left: 1 };
    return;
  }
  const sending = new Sending(channel, delivery);
  try {
    yield* new FileDelivery(folder, file, delivery, contents, channel, sending).run();
  } finally {
    sending.close();
  }
}

class FileDelivery {
  readonly #lost: Lost;
  /** Number of the first lost message; 0 if none is lost. */
  #firstLost: number;
  #identity: JobIdentity | undefined;
  /** The first reason not to publish a message. */
  #wrong: string | undefined;

  constructor(
    readonly folder: Folder,
    readonly file: SpoolFile,
    readonly delivery: DeliveryOptions,
    readonly contents: Contents,
    readonly channel: PublishChannel,
    readonly sending: Sending,
  ) {
    const { noRoom, broken, head, through } = contents;
    this.#lost = { no_room: noRoom, too_old: 0, damaged: broken, refused: 0 };
    this.#firstLost = noRoom > 0 ? Math.max(head!.from, through + 1) : 0;
    this.#identity = head?.identity;
  }

  async *run(): AsyncGenerator<Part> {
    const { file, contents, sending } = this;
    let untilMs = performance.now() + TURN_MS;
    for await (const message of messagesOf(file, contents.through)) {
      if (this.#isLost(message)) this.#firstLost ||= message.n;
      else if (!(await sending.send(message))) break;
      if (performance.now() < untilMs) continue;
      // All files share the channel, so only one of them may have messages in flight.
      await sending.settle();
      if (sending.trouble !== undefined) break;
      yield {};
      untilMs = performance.now() + TURN_MS;
    }
    await sending.settle();
    if (sending.trouble === undefined) await this.#tellLost(sending);
    yield await this.#ended();
  }

  #isLost(message: MessageRecord): boolean {
    const { check, maxAgeMs } = this.delivery;
    this.#identity ??= identityIn(message.body);
    const wrong = unsendable(message) ?? check?.(message);
    const timestamp = Number(message.options['timestamp'] ?? Number.POSITIVE_INFINITY);
    if (wrong !== undefined) {
      this.#lost.refused++;
      this.#wrong ??= `message ${message.n} was not published: ${wrong}`;
    } else if (timestamp < (Date.now() - maxAgeMs) / 1000) this.#lost.too_old++;
    else return false;
    return true;
  }

  async #ended(): Promise<Part> {
    const { folder, file, delivery, contents, sending } = this;
    const { trouble, confirmed } = sending;
    if (trouble?.kind === 'refused') return this.#refused(trouble.why);
    if (trouble !== undefined) {
      // Otherwise late confirms would be taken for those of the next file.
      this.channel.close();
      if (trouble.kind === 'nacked')
        delivery.warn(`${this.#shown}: the broker takes no more messages now: is a queue full?`);
      if (trouble.kind === 'silent') delivery.warn(`${this.#shown}: no confirm within ${delivery.confirmMs / 1000} s`);
      await this.#mark();
      return { messages: confirmed, left: 1, silent: trouble.kind === 'silent' };
    }
    const { damaged, refused, too_old } = this.#lost;
    const spoilt = damaged + refused > 0;
    if (spoilt) {
      const wrong = this.#wrong === undefined ? '' : `; ${this.#wrong}`;
      const what = `${damaged} damaged and ${refused} refused records are lost, ${confirmed} messages were delivered${wrong}`;
      await file.handle.write(encode({ through: Math.max(contents.through, contents.last) }));
      await setAside(folder, file, delivery, what);
    } else await unlink(folder.at(file.name));
    if (too_old > 0) delivery.warn(`${this.#shown}: gave up ${too_old} messages: too old`);
    return { files: 1, messages: confirmed, dropped: sumOf(this.#lost), bad: spoilt ? 1 : 0 };
  }

  /**
   * The broker has closed the channel. It does not say for which message, but it has all messages before the first gap.
   */
  async #refused(why: string): Promise<Part> {
    const { folder, file, delivery, contents, sending } = this;
    const { confirmed } = sending;
    this.#lost.refused = Math.max(1, contents.messages - confirmed - this.#lost.too_old);
    this.#firstLost ||= Math.max(contents.through, sending.through) + 1;
    await this.#mark();
    const what = `the broker refuses it: ${quote(why)}; ${confirmed} messages were delivered, ${this.#lost.refused} were not`;
    await setAside(folder, file, delivery, what);
    const channel = await delivery.channel();
    if (channel !== undefined) await this.#tellLostOn(channel);
    return { files: 1, messages: confirmed, dropped: sumOf(this.#lost), bad: 1 };
  }

  /** Tries to tell of the loss on a new channel, which fails if the broker refuses the event, too. */
  async #tellLostOn(channel: PublishChannel): Promise<void> {
    const sending = new Sending(channel, this.delivery);
    await this.#tellLost(sending);
    sending.close();
  }

  async #tellLost(sending: Sending): Promise<void> {
    if (sumOf(this.#lost) === 0 || this.#identity === undefined) return;
    const to = this.delivery.eventsTo(this.#identity);
    const sequence = Math.max(1, this.#firstLost || this.contents.through + 1);
    if (to === undefined) return;
    await sending.send({ n: 0, ...to, ...droppedEvent(this.#identity, sequence, this.#lost) });
    await sending.settle();
  }

  /**
   * Marks what the broker has, so that it is not sent again; if the disk is full, it is sent twice. The mark must not
   * cover lost messages that no event has told of yet.
   */
  async #mark(): Promise<void> {
    const { file, contents, sending } = this;
    const through = Math.min(sending.through, this.#firstLost > 0 ? this.#firstLost - 1 : contents.last);
    if (through > contents.through) await file.handle.write(encode({ through }));
  }

  get #shown(): string {
    return this.folder.shown(this.file.name);
  }
}

async function setAside(folder: Folder, file: SpoolFile, delivery: DeliveryOptions, why: string): Promise<void> {
  await rename(folder.at(file.name), folder.at(file.name + BAD));
  delivery.warn(`${folder.shown(file.name)}: ${why}; the file was set aside as ${file.name}${BAD}`);
}
