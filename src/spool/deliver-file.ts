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

/** What became of a file, or of the part of it that a turn had time for. */
export type Part = Partial<Delivered> & { readonly silent?: boolean };

/** Then it is the turn of the next user. */
const TURN_MS = 2_000;

/**
 * Delivers one file, in order, each message under its own id. What cannot be delivered for good is set aside with the
 * file and counted; what the broker does not take now stays for the next time.
 * @returns a part for each turn that it took
 * @throws Error with `code`
 */
export async function* deliverFile(folder: Folder, file: SpoolFile, delivery: DeliveryOptions): AsyncGenerator<Part> {
  const tooLong = file.bytes > FILE_MAX_BYTES;
  const contents = tooLong ? undefined : await examine(file);
  if (contents === undefined || contents.broken > BROKEN_MAX) {
    const what = tooLong
      ? `it has ${file.bytes} bytes, and no box writes more than ${FILE_MAX_BYTES}`
      : `it has more than ${BROKEN_MAX} damaged records`;
    await setAside(folder, file, delivery, `${what}; nothing of it was delivered`);
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
  /** Number of the first message that is lost; 0 for none. */
  #firstLost: number;
  #identity: JobIdentity | undefined;
  /** The first thing that is wrong with a message. */
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
      // The channel is everybody's: what is in flight on it belongs to one file.
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
      this.#wrong ??= `message ${message.n} is not published: ${wrong}`;
    } else if (timestamp < (Date.now() - maxAgeMs) / 1000) this.#lost.too_old++;
    else return false;
    return true;
  }

  async #ended(): Promise<Part> {
    const { folder, file, delivery, contents, sending } = this;
    const { trouble, confirmed } = sending;
    if (trouble?.kind === 'refused') return this.#refused(trouble.why);
    if (trouble !== undefined) {
      // What is still in flight must not be taken for the next file's.
      this.channel.close();
      if (trouble.kind === 'nacked') delivery.warn(`${this.#shown}: the broker takes no more for now: a full queue?`);
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

  /** The broker has ended the channel: which message it meant is not known, only that all before the gap are with it. */
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

  /** Of no use where the broker refuses events too. */
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
   * What is with the broker is not sent again; a disk that is full only costs repeats. Nor may the mark hide what is lost
   * and not yet told.
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
  delivery.warn(`${folder.shown(file.name)}: ${why}; it was set aside as ${file.name}${BAD}`);
}
