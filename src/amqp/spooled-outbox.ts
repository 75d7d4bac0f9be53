import { isEnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import { SAMPLE_TYPE } from '../model/sample.js';
import type { Outgoing } from '../model/types.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import type { Outbox } from './outbox.js';
import { type Packed, pack } from './packed.js';
import type { Publication } from './publisher.js';
import type { Queue } from './queue.js';
import { Steps } from './steps.js';
import { within } from './within.js';

/** Least time between two marks of what the broker has confirmed. */
const MARK_MS = 100;
/** Largest batch that is written at once; this much may always wait for the disk. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 1024 * 1024;
/** How long the end of a box waits for the disk. */
const CLOSE_MS = 2_000;

export interface SpooledOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly outbox: Outbox;
  readonly toPublication: (message: Outgoing, content: Buffer) => Publication;
  readonly loadSpool: () => typeof Spool;
  readonly log: Logger;
}

/**
 * An outbox with a spool behind it. Every message goes to the journal on disk when it comes, and stays there until it
 * is confirmed, so that a SIGKILL of the wrapper loses nothing. It also goes to the outbox at once if no message waits
 * before it and the outbox is at most half full. Otherwise it is read back from the disk once there is room.
 *
 * The disk works in the background. Messages that it has not taken yet wait in memory, at most as many as the other
 * half of the outbox may hold, so a disk that fails or hangs costs one warning and the messages beyond that bound.
 */
export class SpooledOutbox implements Queue {
  readonly #options: SpooledOptions;
  readonly #warned = new Set<string>();
  readonly #disk = new Steps(
    () => this.#step(),
    (error) => this.#failed(error),
  );
  #journal: Spool.Journal | null = null;
  /** Messages that are in the outbox and not on disk yet. */
  #unwritten: Packed[] = [];
  /** Later messages, which are neither in the outbox nor on disk. */
  #waiting: Packed[] = [];
  #waitingBytes = 0;
  /** How many of the messages that are being written are not in the outbox. */
  #writing = 0;
  #reading = false;
  /**
   * Number of the last message that the outbox got, of the last confirmed one, and of the last one marked as confirmed.
   */
  #handed = 0;
  #confirmed = 0;
  #marked = 0;
  #dropped = 0;
  #markTimer: NodeJS.Timeout | undefined;
  #drained: (() => void)[] = [];

  constructor(options: SpooledOptions) {
    this.#options = options;
    options.outbox.onLeft(() => this.#left());
  }

  get length(): number {
    return this.#options.outbox.length + this.#onlyOnDisk + this.#waiting.length;
  }

  get bytes(): number {
    return this.#options.outbox.bytes + this.#waitingBytes;
  }

  get dropped(): number {
    return this.#options.outbox.dropped + this.#dropped;
  }

  push(given: Outgoing): void {
    const message = pack(given);
    const isNext = this.#onlyOnDisk === 0 && this.#waiting.length === 0 && !this.#reading;
    if (isNext && this.#hasRoom(message)) {
      this.#unwritten.push(message);
      this.#hand(message);
    } else this.#wait(message);
    this.#disk.go();
  }

  drained(): Promise<void> {
    return this.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /**
   * At the end of the box: leaves the rest on disk.
   * @returns its path; null if nothing is left, or nothing is on disk
   */
  async close(): Promise<string | null> {
    let path: string | null = null;
    const finished = this.#finish().then((kept) => {
      path = kept;
    });
    if (!(await within(CLOSE_MS, finished))) {
      this.#warn('late', `spool ${this.#options.spec.spoolDir}: no answer within ${CLOSE_MS / 1000} s`);
    }
    return path;
  }

  async #finish(): Promise<string | null> {
    await this.#disk.finish();
    clearTimeout(this.#markTimer);
    const journal = this.#journal;
    if (journal === null) return null;
    const { path } = journal;
    const lost = this.#unwritten.length + this.#waiting.length;
    try {
      if (this.length === lost) {
        await journal.remove();
        return null;
      }
      await journal.done(this.#confirmed);
      await journal.leave();
      if (lost > 0) this.#options.log.warn(`spool: ${lost} messages are not in ${path}: the disk did not take them`);
    } catch (error) {
      this.#failed(error as Error);
    }
    return path;
  }

  get #onlyOnDisk(): number {
    return (this.#journal?.unread ?? 0) + this.#writing;
  }

  #hasRoom(message: Packed): boolean {
    const { outbox } = this.#options;
    const { maxMessages, maxBytes } = outbox.bounds;
    if (outbox.length === 0) return true;
    return outbox.length < maxMessages / 2 && outbox.bytes + outbox.costOf(message) <= maxBytes / 2;
  }

  #hand(message: Packed): void {
    this.#handed = numberOf(message);
    this.#options.outbox.push(message);
  }

  /** Keeps a message in memory until the disk takes it. */
  #wait(message: Packed): void {
    const { bounds } = this.#options.outbox;
    const maxMessages = Math.max(BATCH_MESSAGES, bounds.maxMessages / 2);
    const maxBytes = Math.max(BATCH_BYTES, bounds.maxBytes / 2);
    this.#waiting.push(message);
    this.#waitingBytes += this.#options.outbox.costOf(message);
    while (this.#waiting.length > maxMessages || this.#waitingBytes > maxBytes) {
      this.#waitingBytes -= this.#options.outbox.costOf(this.#waiting.shift()!);
      this.#lost(1, 'the outbox is full, and the spool does not take it');
    }
  }

  #left(): void {
    const { oldest } = this.#options.outbox;
    this.#confirmed = oldest === undefined ? this.#handed : numberOf(oldest) - 1;
    while (this.#unwritten.length > 0 && numberOf(this.#unwritten[0]!) <= this.#confirmed) this.#unwritten.shift();
    this.#refill();
    this.#markTimer ??= setTimeout(() => {
      this.#markTimer = undefined;
      this.#disk.go();
    }, MARK_MS).unref();
    if (this.#onlyOnDisk > 0) this.#disk.go();
  }

  /** Moves waiting messages to the outbox, unless earlier ones are on disk. */
  #refill(): void {
    if (this.#reading || this.#onlyOnDisk > 0) return;
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#waitingBytes -= this.#options.outbox.costOf(next);
      this.#unwritten.push(next);
      this.#hand(next);
    }
    if (this.length === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** The steps that make room on disk come first; otherwise a full disk would stay full. */
  #step(): Promise<void> | undefined {
    const journal = this.#journal;
    if (this.#markTimer === undefined && this.#confirmed > this.#marked) return this.#mark();
    if (journal !== null && journal.unread > 0 && this.#isLow())
      return this.#read(journal).finally(() => this.#refill());
    if (this.#unwritten.length + this.#waiting.length > 0) return this.#write().finally(() => this.#refill());
    return undefined;
  }

  async #write(): Promise<void> {
    this.#journal ??= await this.#open();
    let batch = [
      ...this.#unwritten.splice(0, BATCH_MESSAGES),
      ...(this.#unwritten.length === 0 ? this.#waiting.splice(0, BATCH_MESSAGES) : []),
    ];
    try {
      while (batch.length > 0) {
        const others = batch.filter((message) => numberOf(message) > this.#handed);
        this.#writing = others.length;
        this.#waitingBytes = this.#sumOf(this.#waiting);
        batch = batch.slice(await this.#journal.append(batch.map((message) => this.#record(message))));
      }
    } finally {
      this.#writing = 0;
      const copies = batch.filter((message) => numberOf(message) <= this.#handed);
      this.#unwritten.unshift(...copies.filter((message) => numberOf(message) > this.#confirmed));
      this.#waiting.unshift(...batch.filter((message) => numberOf(message) > this.#handed));
      this.#waitingBytes = this.#sumOf(this.#waiting);
    }
  }

  #open(): Promise<Spool.Journal> {
    const { spec, identity, log, loadSpool } = this.#options;
    return loadSpool().Journal.open({
      spoolDir: spec.spoolDir!,
      bounds: { maxBytes: spec.spoolMaxBytes, maxAgeMs: spec.spoolMaxAgeMs },
      identity,
      inMemory: () => this.#handed,
      onLost: (messages, why) => this.#lost(messages, why),
      log,
    });
  }

  /** Whether the outbox has room for more than a few messages. */
  #isLow(): boolean {
    const { length, bytes, bounds } = this.#options.outbox;
    return length <= bounds.maxMessages / 4 && bytes <= bounds.maxBytes / 4;
  }

  async #read(journal: Spool.Journal): Promise<void> {
    const oldestSec = (Date.now() - this.#options.spec.spoolMaxAgeMs) / 1000;
    this.#reading = true;
    try {
      await journal.read((record) => {
        const message = pack(toOutgoing(record));
        if (message.timestamp >= oldestSec) this.#hand(message);
        else {
          this.#handed = record.n;
          this.#lost(1, 'too old (--spool-max-age)');
        }
        return this.#hasRoom(message);
      });
    } finally {
      this.#reading = false;
    }
  }

  /** A missing mark only means that messages are delivered twice. */
  #mark(): Promise<void> {
    this.#marked = this.#confirmed;
    const failed = (error: Error) => this.#options.log.debug(`spool: ${error.message}`);
    return this.#journal?.done(this.#marked).catch(failed) ?? Promise.resolve();
  }

  #lost(messages: number, why: string): void {
    this.#dropped += messages;
    const text = `gave up ${messages} messages: ${why} (${this.#dropped} so far)`;
    if (this.#dropped === messages) this.#options.log.warn(`${text}; further ones are only counted`);
    else this.#options.log.debug(text);
  }

  #failed(error: NodeJS.ErrnoException): void {
    const { message } = error;
    this.#warn(
      error.code ?? '',
      isEnvironmentError(error) ? message : `spool ${this.#options.spec.spoolDir}: ${message}`,
    );
  }

  #warn(kind: string, reason: string): void {
    const text = `${reason}; what the broker has not confirmed is in memory only`;
    this.#options.log[this.#warned.has(kind) ? 'debug' : 'warn'](text);
    this.#warned.add(kind);
  }

  #sumOf(messages: readonly Packed[]): number {
    return messages.reduce((sum, message) => sum + this.#options.outbox.costOf(message), 0);
  }

  #record(message: Packed): Spool.MessageRecord {
    const { content: _, ...publication } = this.#options.toPublication(message, NOTHING);
    return { n: numberOf(message), ...publication, options: { ...publication.options }, body: message.body };
  }
}

const NOTHING = Buffer.alloc(0);

export function toOutgoing({ options, body }: Spool.MessageRecord): Outgoing {
  const type = String(options['type']);
  const kind = type === SAMPLE_TYPE ? 'sample' : 'event';
  return { kind, messageId: String(options['messageId']), type, body, timestamp: Number(options['timestamp']) };
}

/** The message's number in the box's one sequence of samples and events. */
function numberOf({ messageId }: Outgoing): number {
  return Number(messageId.slice(messageId.lastIndexOf('-') + 1));
}
