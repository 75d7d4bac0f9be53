import type { Logger } from '../log.js';
import type { JobIdentity } from '../options/spec.js';
import { type Folder, openFolder, SPOOLED } from './folder.js';
import { encode, type MessageRecord } from './record.js';
import { type Bounds, makeRoom } from './room.js';
import { Segment } from './segment.js';

export interface JournalOptions {
  readonly spoolDir: string;
  readonly bounds: Bounds;
  readonly identity: JobIdentity;
  /** Number of the last message that is, or was, in memory as well. */
  readonly inMemory: () => number;
  /** Called when messages that were only on disk are given up. */
  readonly onLost: (messages: number, why: string) => void;
  readonly log: Logger;
}

/** Size of a segment as part of the bound: small, so that the journal never gives up much at a time. */
const SEGMENT_PART = 1 / 8;
const SEGMENT_MAX_BYTES = 8 * 1024 * 1024;
const DIGITS = 6;

/**
 * The spool of one running box. It keeps every message that the broker has not confirmed, in order, in segments: the
 * last segment is written to, and each is removed once everything in it is confirmed. Messages that do not fit into
 * memory are only here, and are read back once each. When the bounds are reached, the journal gives up the oldest
 * segment and keeps only its head, which says how many messages were lost.
 *
 * Calls of its methods must not overlap.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #folder: Folder;
  readonly #segmentBytes: number;
  /** Oldest first; the first may consist of a head alone. */
  #segments: Segment[] = [];
  #created = 0;
  #through = 0;

  private constructor(options: JournalOptions, folder: Folder) {
    this.#options = options;
    this.#folder = folder;
    this.#segmentBytes = Math.min(SEGMENT_MAX_BYTES, Math.floor(options.bounds.maxBytes * SEGMENT_PART));
  }

  /** @throws EnvironmentError if the directory cannot be used */
  static async open(options: JournalOptions): Promise<Journal> {
    const folder = await openFolder(options.spoolDir, process.geteuid?.() ?? -1, true);
    return new Journal(options, folder!);
  }

  /** Path of the file, or a pattern for several, for log messages. */
  get path(): string {
    const [first, ...more] = this.#segments;
    const { box } = this.#options.identity;
    return this.#folder.shown(first === undefined || more.length > 0 ? `${box}.*${SPOOLED}` : first.name);
  }

  /** Number of messages that are only on disk. */
  get unread(): number {
    return this.#segments.reduce((sum, { unread }) => sum + unread, 0);
  }

  /**
   * Writes the first of the messages, at least one.
   * @returns how many were written
   * @throws Error with `code`; then nothing was written
   */
  async append(messages: readonly MessageRecord[]): Promise<number> {
    const texts = messages.map(encode);
    let segment = this.#segments.at(-1);
    let count = segment === undefined ? 0 : fitting(texts, this.#segmentBytes - segment.bytes);
    if (segment === undefined || count === 0) {
      segment = await this.#next(messages[0]!.n, Buffer.byteLength(texts[0]!));
      count = Math.max(1, fitting(texts, this.#segmentBytes - segment.bytes));
    }
    await segment.write(texts.slice(0, count).join(''));
    const written = messages.slice(0, count);
    const inMemory = this.#options.inMemory();
    segment.last = written.at(-1)!.n;
    segment.unread += written.filter(({ n }) => n > inMemory).length;
    return count;
  }

  /**
   * Reads back the next messages that are only on disk, in order, at least one.
   * @param take gets a message; returns whether it wants another one
   * @throws Error with `code`
   */
  async read(take: (message: MessageRecord) => boolean): Promise<void> {
    for (const segment of this.#segments) {
      if (segment.unread === 0) continue;
      for await (const message of segment.read(this.#options.inMemory)) if (!take(message)) return;
      if (segment.unread > 0) this.#options.onLost(segment.unread, 'damaged on disk');
      segment.unread = 0;
    }
  }

  /** Messages up to this number need not be kept any longer. @throws Error with `code` */
  async done(through: number): Promise<void> {
    if (through <= this.#through) return;
    this.#through = through;
    const isOver = ([oldest, ...more]: Segment[]) =>
      oldest !== undefined && oldest.last <= through && (more.length > 0 || oldest.standsForLost);
    while (isOver(this.#segments)) await this.#segments.shift()!.remove();
    const [oldest] = this.#segments;
    if (oldest === undefined) return;
    if (oldest.last > through) await oldest.write(encode({ through }));
    else if (!oldest.isEmpty) await oldest.clear();
  }

  /** Ends the journal and removes its files. @throws Error with `code` */
  async remove(): Promise<void> {
    await using _folder = this.#folder;
    for (const segment of this.#segments.splice(0)) await segment.remove();
  }

  /** Ends the journal and leaves its files to be delivered later. @throws Error with `code` */
  async leave(): Promise<void> {
    await using _folder = this.#folder;
    for (const segment of this.#segments.splice(0)) await segment.leave();
  }

  async #next(first: number, least: number): Promise<Segment> {
    const { bounds, identity, log } = this.#options;
    const wanted = Math.max(this.#segmentBytes, least);
    const own = () => this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    const room = await makeRoom(this.#folder, bounds, own() + wanted, identity.box, log);
    // The head that is left of the first segment given up stays first; after that, it absorbs the next one.
    for (let left: 0 | 1 = 0; this.#segments.length > left && own() + wanted > room; left = 1) {
      await this.#giveUpOldest(left);
    }
    if (own() + least > room) {
      const others = room < bounds.maxBytes ? ': other boxes of this user occupy the rest' : '';
      const problem = `no room for a message of ${least} bytes within --spool-max-bytes${others}`;
      throw Object.assign(new Error(problem), { code: 'EDQUOT' });
    }
    const name = `${identity.box}.${String(++this.#created).padStart(DIGITS, '0')}${SPOOLED}`;
    const segment = await Segment.create(this.#folder, name, { spool: 1, identity, from: first, first });
    this.#segments.push(segment);
    return segment;
  }

  /** @param index 1 if the first segment is a head alone; then the two become one head */
  async #giveUpOldest(index: 0 | 1): Promise<void> {
    const oldest = this.#segments[index]!;
    const from = Math.max(this.#through + 1, this.#segments[0]!.head.from);
    const head = { ...oldest.head, from, first: Math.max(from, oldest.last + 1) };
    const left = await Segment.create(this.#folder, oldest.name, head);
    await oldest[Symbol.asyncDispose]();
    if (index === 1) await this.#segments[0]!.remove();
    this.#segments.splice(0, index + 1, left);
    if (oldest.unread > 0) this.#options.onLost(oldest.unread, 'the spool is full (--spool-max-bytes)');
  }
}

/** How many of the texts, from the first on, fit into this many bytes. */
function fitting(texts: readonly string[], bytes: number): number {
  let left = bytes;
  const beyond = texts.findIndex((text) => {
    left -= Buffer.byteLength(text);
    return left < 0;
  });
  return beyond === -1 ? texts.length : beyond;
}
