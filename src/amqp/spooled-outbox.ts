import { isEnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import { SAMPLE_TYPE } from '../model/sample.js';
import type { Outgoing } from '../model/types.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import type { Outbox, Queue } from './outbox.js';
import { type Packed, pack } from './packed.js';
import type { Publication } from './publisher.js';
import { Steps } from './steps.js';
import { within } from './within.js';

/**
 * An outbox with a spool behind it. Every message goes to the journal on disk when it comes, and is kept there until it
 * is confirmed: a SIGKILL of the wrapper loses nothing. It goes to the outbox at once as well, as long as nothing waits
 * before it and the outbox is at most half full; otherwise it is read back from the disk when there is room.
 *
 * The disk is used beside everything else, one step after the other. What it has not taken yet waits in memory, at most
 * as much as the other half of the outbox may hold: a disk that fails or hangs costs one warning, and what is over that.
 */

/** What was confirmed is marked no more often. */
const MARK_MS = 100;
/** Written at a time, and so many may wait for it however little the outbox may hold. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 1024 * 1024;
/** The disk at the end of a box. */
const CLOSE_MS = 2_000;

export interface SpooledOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly outbox: Outbox;
  readonly toPublication: (message: Outgoing, content: Buffer) => Publication;
  readonly loadSpool: () => typeof Spool;
  readonly log: Logger;
}

export class SpooledOutbox implements Queue {
  readonly #options: SpooledOptions;
  readonly #warned = new Set<string>();
  readonly #disk = new Steps(
    () => this.#step(),
    (error) => this.#failed(error),
  );
  #journal: Spool.Journal | null = null;
  /** In the outbox and not on disk yet. */
  #unwritten: Packed[] = [];
  /** After those: neither in the outbox nor on disk. */
  #waiting: Packed[] = [];
  #waitingBytes = 0;
  /** Of what is being written, so many are not in the outbox. */
  #writing = 0;
  #reading = false;
  /** Number of the last that the outbox has got, of the last that is confirmed, and of the last that is marked so. */
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

  /** The end of the box: what is left stays on disk. @returns its path; null where nothing is left, or is there */
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

  /** For the disk. */
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

  /** From memory, where nothing on disk comes before. */
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

  /** What makes room on disk goes first: a full one would never have any again. */
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

  /** There is room for more than a few. */
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

  /** A mark that is missing costs repeats, no more. */
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

function toOutgoing({ options, body }: Spool.MessageRecord): Outgoing {
  const type = String(options['type']);
  const kind = type === SAMPLE_TYPE ? 'sample' : 'event';
  return { kind, messageId: String(options['messageId']), type, body, timestamp: Number(options['timestamp']) };
}

/** Its place in the box's one sequence. */
function numberOf({ messageId }: Outgoing): number {
  return Number(messageId.slice(messageId.lastIndexOf('-') + 1));
}
