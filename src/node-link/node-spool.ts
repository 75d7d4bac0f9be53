import { toOutgoing } from '../amqp/spooled-outbox.js';
import { Steps } from '../amqp/steps.js';
import { within } from '../amqp/within.js';
import { isEnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import type { JobIdentity } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import { type BoxQueue, Parcel } from './box-queue.js';
import type { FairOutbox, Overflow } from './fair-outbox.js';

const BATCH_MESSAGES = 256;
const BATCH_BYTES = 1024 * 1024;
/** Least time between two marks of what the broker has confirmed. */
const MARK_MS = 1_000;
/** How long the end of the link waits for the disk. */
const CLOSE_MS = 5_000;
const NOTHING = Buffer.alloc(0);

export interface NodeSpoolOptions {
  readonly spoolDir: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** As whom the spool says that messages were lost; `box` is new for each link. */
  readonly identity: JobIdentity;
  readonly outbox: FairOutbox;
  readonly loadSpool: () => typeof Spool;
  readonly log: Logger;
}

/**
 * The spool of a node's link: one journal for the messages of all boxes. Messages go there only if memory has no room
 * for them, or at the end. They have numbers of their own, because a journal is one sequence and boxes have one each.
 *
 * Messages that wait for the disk are in memory, at most half as many as the outbox may hold. If the disk takes none,
 * the oldest of them are given up.
 */
export class NodeSpool implements Overflow {
  readonly #options: NodeSpoolOptions;
  readonly #warned = new Set<string>();
  readonly #disk = new Steps(
    () => this.#step(),
    (error) => this.#failed(error),
  );
  #journal: Spool.Journal | null = null;
  /** Messages that wait for the disk. */
  #unwritten: Parcel[] = [];
  #unwrittenBytes = 0;
  /** Messages that the disk is taking now. */
  #writing: readonly Parcel[] = [];
  /** Whose messages are on disk only, by number, oldest first. */
  readonly #owners = new Map<number, BoxQueue>();
  /** Numbers of the messages that were read back and are not confirmed, oldest first. */
  readonly #unconfirmed = new Set<number>();
  /** Number of the last message that was written, and of the last that was read back. */
  #written = 0;
  #read = 0;
  #marked = 0;
  #markTimer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: NodeSpoolOptions) {
    this.#options = options;
  }

  /** Messages that are not in the outbox. */
  get length(): number {
    return this.#owners.size + this.#writing.length + this.#unwritten.length;
  }

  spill(parcel: Parcel): void {
    const { maxMessages, maxBytes } = this.#options.outbox.bounds;
    this.#unwritten.push(parcel);
    this.#unwrittenBytes += parcel.cost;
    const most = Math.max(BATCH_MESSAGES, maxMessages / 2);
    while (this.#unwritten.length > most || this.#unwrittenBytes > Math.max(BATCH_BYTES, maxBytes / 2)) {
      const oldest = this.#unwritten.shift()!;
      this.#unwrittenBytes -= oldest.cost;
      this.#options.outbox.lost(oldest.queue, 'the outbox of the node is full, and the spool does not take it');
    }
    this.#disk.go();
  }

  settled({ number }: Parcel): void {
    if (number === undefined || !this.#unconfirmed.delete(number)) return;
    this.#markTimer ??= setTimeout(() => {
      this.#markTimer = undefined;
      this.#disk.go();
    }, MARK_MS).unref();
  }

  roomy(): void {
    if (this.length > 0 && this.#isLow()) this.#disk.go();
  }

  /**
   * At the end of the link: puts what the outbox still holds on disk.
   * @returns pattern of the files, and how many messages are in none; the pattern is null if nothing is on disk
   */
  async close(): Promise<{ readonly path: string | null; readonly lost: number }> {
    this.#closing = true;
    clearTimeout(this.#markTimer);
    const result = { path: null as string | null, lost: this.#inMemory };
    const finished = this.#finish(result).catch((error: Error) => this.#failed(error));
    if (!(await within(CLOSE_MS, finished))) {
      this.#warn('late', `spool ${this.#options.spoolDir}: no answer within ${CLOSE_MS / 1000} s`);
    }
    return result;
  }

  get #inMemory(): number {
    return this.#options.outbox.length + this.#writing.length + this.#unwritten.length;
  }

  async #finish(result: { path: string | null; lost: number }): Promise<void> {
    await this.#disk.finish();
    result.lost = this.#inMemory;
    const { earlier, later } = this.#rest();
    const { spoolDir, identity } = this.#options;
    const pattern = `${spoolDir}/${process.geteuid?.()}/${identity.box}*`;
    const kept = async (journal: Spool.Journal, parcels: readonly Parcel[], from: number) => {
      await append(
        journal,
        parcels.map((parcel, index) => recordOf(parcel, from + index)),
      );
      result.lost -= parcels.length;
      result.path = pattern;
    };
    if (earlier.length > 0) {
      // These come before what is in the journal, so they need one whose name comes first.
      const first = await this.#open('0', () => Number.MAX_SAFE_INTEGER);
      await kept(first, earlier, 1);
      await first.leave();
    }
    if (this.#journal === null && later.length === 0) return;
    this.#journal ??= await this.#open('1', () => this.#read);
    const journal = this.#journal;
    await this.#mark(journal);
    if (later.length > 0) await kept(journal, later, this.#written + 1);
    // What was read back and is not confirmed is still there.
    const onDisk = this.#owners.size + this.#unconfirmed.size;
    if (onDisk + later.length === 0) return await journal.remove();
    result.lost -= this.#unconfirmed.size;
    result.path = pattern;
    await journal.leave();
  }

  /** What is in memory and not on disk: for each box, what comes before its messages on disk, and what comes after. */
  #rest(): { readonly earlier: Parcel[]; readonly later: Parcel[] } {
    const earlier: Parcel[] = [];
    const later: Parcel[] = [];
    const unwritten = grouped(this.#unwritten);
    for (const queue of this.#options.outbox.queues) {
      let to = earlier;
      for (const parcel of [...queue.handed, ...queue.returned]) {
        if (parcel.number !== undefined) to = later;
        else to.push(parcel);
      }
      const waitingForDisk = unwritten.get(queue) ?? [];
      if (queue.spilled > waitingForDisk.length) to = later;
      to.push(...waitingForDisk, ...queue.waiting());
    }
    return { earlier, later };
  }

  /** Room for more than a few messages. */
  #isLow(): boolean {
    const { length, bytes, bounds } = this.#options.outbox;
    return length <= bounds.maxMessages / 4 && bytes <= bounds.maxBytes / 4;
  }

  #hasRoom(): boolean {
    const { length, bytes, bounds } = this.#options.outbox;
    return length < bounds.maxMessages / 2 && bytes < bounds.maxBytes / 2;
  }

  /** The steps that make room on disk come first; otherwise a full disk would stay full. */
  #step(): Promise<void> | undefined {
    const journal = this.#journal;
    if (journal !== null && this.#markTimer === undefined && this.#through > this.#marked) return this.#mark(journal);
    if (!this.#closing && this.#isLow()) {
      if (journal !== null && journal.unread > 0) return this.#readBack(journal);
      this.#giveUnwrittenBack();
    }
    return this.#unwritten.length > 0 ? this.#write() : undefined;
  }

  /** Everything up to this number is confirmed or given up. */
  get #through(): number {
    const [oldest = this.#read + 1] = this.#unconfirmed;
    return oldest - 1;
  }

  /** If nothing is on disk, what waits for the disk need not go there. */
  #giveUnwrittenBack(): void {
    if (this.#owners.size + this.#writing.length > 0) return;
    while (this.#unwritten.length > 0 && this.#hasRoom()) {
      const parcel = this.#unwritten.shift()!;
      this.#unwrittenBytes -= parcel.cost;
      this.#options.outbox.giveBack(parcel);
    }
  }

  async #write(): Promise<void> {
    this.#journal ??= await this.#open('1', () => this.#read);
    this.#writing = this.#unwritten.splice(0, BATCH_MESSAGES);
    this.#unwrittenBytes -= sumOf(this.#writing);
    let count = 0;
    try {
      const records = this.#writing.map((parcel, index) => recordOf(parcel, this.#written + 1 + index));
      count = await this.#journal.append(records);
    } finally {
      const left = this.#writing.slice(count);
      for (const { queue } of this.#writing.slice(0, count)) this.#owners.set(++this.#written, queue);
      this.#writing = [];
      this.#unwritten.unshift(...left);
      this.#unwrittenBytes += sumOf(left);
    }
  }

  #open(which: '0' | '1', inMemory: () => number): Promise<Spool.Journal> {
    const { spoolDir, maxBytes, maxAgeMs, identity, loadSpool, log } = this.#options;
    return loadSpool().Journal.open({
      spoolDir,
      bounds: { maxBytes, maxAgeMs },
      identity: { ...identity, box: `${identity.box}-${which}` },
      inMemory,
      onLost: (messages, why) => this.#lost(messages, why),
      log,
    });
  }

  async #readBack(journal: Spool.Journal): Promise<void> {
    const { outbox, maxAgeMs } = this.#options;
    const oldestSec = (Date.now() - maxAgeMs) / 1000;
    await journal.read((record) => {
      this.#read = record.n;
      const queue = this.#owners.get(record.n);
      if (queue === undefined) return true;
      this.#owners.delete(record.n);
      const parcel = new Parcel(toOutgoing(record), queue, outbox.bounds.overheadBytes);
      if (parcel.timestamp < oldestSec) {
        outbox.lost(queue, 'too old (--spool-max-age)');
        return true;
      }
      parcel.number = record.n;
      this.#unconfirmed.add(record.n);
      outbox.giveBack(parcel);
      return this.#hasRoom();
    });
  }

  /** A missing mark only means that messages are delivered twice. */
  #mark(journal: Spool.Journal): Promise<void> {
    this.#marked = this.#through;
    return journal.done(this.#marked).catch((error: Error) => this.#options.log.debug(`spool: ${error.message}`));
  }

  /** The oldest of the messages that are on disk only. */
  #lost(messages: number, why: string): void {
    let left = messages;
    for (const [number, queue] of this.#owners) {
      if (left-- === 0) return;
      this.#owners.delete(number);
      this.#options.outbox.lost(queue, why);
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    const { code = '', message } = error;
    this.#warn(code, isEnvironmentError(error) ? message : `spool ${this.#options.spoolDir}: ${message}`);
  }

  #warn(kind: string, reason: string): void {
    const text = `${reason}; messages that memory has no room for are lost`;
    this.#options.log[this.#warned.has(kind) ? 'debug' : 'warn'](text);
    this.#warned.add(kind);
  }
}

function sumOf(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, { cost }) => sum + cost, 0);
}

async function append(journal: Spool.Journal, records: readonly Spool.MessageRecord[]): Promise<void> {
  for (let done = 0; done < records.length; ) done += await journal.append(records.slice(done, done + BATCH_MESSAGES));
}

function grouped(parcels: readonly Parcel[]): Map<BoxQueue, Parcel[]> {
  const groups = new Map<BoxQueue, Parcel[]>();
  for (const parcel of parcels) {
    const group = groups.get(parcel.queue);
    if (group === undefined) groups.set(parcel.queue, [parcel]);
    else group.push(parcel);
  }
  return groups;
}

function recordOf(parcel: Parcel, n: number): Spool.MessageRecord {
  const { content: _, ...publication } = parcel.queue.publication(parcel, NOTHING);
  return { n, ...publication, options: { ...publication.options }, body: parcel.body };
}
