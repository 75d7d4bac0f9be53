import type { Outgoing } from '../box/types.js';
import { isEnvironmentError } from '../errors.js';
import type { Logger } from '../log.js';
import type { BoxSpec, JobIdentity } from '../spec/spec.js';
import type * as Spool from '../spool/index.js';
import type { Keeper, Outbox } from './outbox.js';
import type { Publication } from './publisher.js';

/**
 * The outbox on disk, while that is needed: from the moment that the link is lost, or that something has waited a
 * moment for its confirm, until nothing is left. With a healthy broker there is no file, and nothing of it is loaded.
 * A disk that fails costs one warning; the messages are in memory all the same.
 */

/** So long a confirm may take before what waits for it goes to disk. */
const PATIENCE_MS = 500;
/** After a failure of the disk. */
const RETRY_MS = 30_000;
/** Marks of what was confirmed are written no more often. */
const MARK_MS = 100;

export interface BackupOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly outbox: Outbox;
  readonly toPublication: (message: Outgoing, content: Buffer) => Publication;
  readonly loadSpool: () => typeof Spool;
  readonly log: Logger;
}

export class Backup implements Keeper {
  readonly #options: BackupOptions;
  readonly #warned = new Set<string>();
  #writer: Spool.SpoolWriter | null = null;
  /** The file lacks some: the disk has failed, and it is written anew later. */
  #incomplete = false;
  #timer: NodeJS.Timeout | null = null;
  #linkLost = false;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #markedAtMs = 0;

  constructor(options: BackupOptions) {
    this.#options = options;
    options.outbox.keepWith(this);
  }

  pushed(message: Outgoing): void {
    const writer = this.#writer;
    if (writer !== null && !this.#incomplete) this.#guard(() => writer.append(this.#record(message)));
    else if (writer !== null || this.#linkLost) this.#begin();
    else this.#watch();
  }

  left(): void {
    if (this.#writer === null) return;
    const { oldest } = this.#options.outbox;
    const nowMs = performance.now();
    if (oldest === undefined) this.#end((writer) => writer.remove());
    else if (nowMs - this.#markedAtMs > MARK_MS) {
      this.#markedAtMs = nowMs;
      this.#mark(numberOf(oldest) - 1);
    }
  }

  /** @param lost false: it is there (again) */
  link(lost: boolean): void {
    this.#linkLost = lost;
    if (lost) this.#begin();
  }

  /** The end of the box: what is left stays on disk. @returns the path of the file, null where there is none */
  close(): string | null {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#failedAtMs = Number.NEGATIVE_INFINITY;
    this.#begin();
    const { oldest } = this.#options.outbox;
    if (this.#writer === null || oldest === undefined) return null;
    this.#mark(numberOf(oldest) - 1);
    const { path } = this.#writer;
    this.#end((writer) => writer.leave());
    return path;
  }

  /** One timer, however much comes: the message that was the oldest when it was set may not be when it ends. */
  #watch(): void {
    if (this.#timer !== null) return;
    const { outbox } = this.#options;
    const { oldest } = outbox;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (outbox.oldest === undefined) return;
      if (outbox.oldest === oldest) this.#begin();
      else this.#watch();
    }, PATIENCE_MS).unref();
  }

  /** Everything to disk, where it is not there yet. */
  #begin(): void {
    const { outbox, spec, identity, loadSpool, log } = this.#options;
    if ((this.#writer !== null && !this.#incomplete) || outbox.length === 0) return;
    if (performance.now() - this.#failedAtMs < RETRY_MS) return;
    this.#guard(() => {
      if (this.#writer !== null) this.#writer.writeAnew();
      else {
        const bounds = { maxBytes: spec.spoolMaxBytes, maxAgeMs: spec.spoolMaxAgeMs };
        const unconfirmed = () => outbox.messages().map((message) => this.#record(message));
        const { SpoolWriter } = loadSpool();
        this.#writer = new SpoolWriter({ spoolDir: spec.spoolDir!, bounds, identity }, unconfirmed, log);
      }
      this.#incomplete = false;
      log.debug(`spool: what is not confirmed is kept in ${this.#writer.path}`);
    });
  }

  #end(how: (writer: Spool.SpoolWriter) => void): void {
    const writer = this.#writer!;
    this.#writer = null;
    this.#incomplete = false;
    this.#guard(() => how(writer));
  }

  /** A mark that is missing costs repeats, no more. */
  #mark(through: number): void {
    try {
      this.#writer?.done(through);
    } catch (error) {
      this.#options.log.debug(`spool: ${(error as Error).message}`);
    }
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#failedAtMs = performance.now();
    this.#incomplete = this.#writer !== null;
    const { log, spec } = this.#options;
    const { message } = error;
    const reason = isEnvironmentError(error) ? message : `spool ${spec.spoolDir}: ${message}`;
    const text = `${reason}; what the broker has not confirmed is in memory only`;
    log[this.#warned.has(error.code ?? '') ? 'debug' : 'warn'](text);
    this.#warned.add(error.code ?? '');
  }

  #record(message: Outgoing): Spool.MessageRecord {
    const { content, ...publication } = this.#options.toPublication(message, Buffer.from(message.body));
    return { n: numberOf(message), ...publication, options: { ...publication.options }, body: content.toString() };
  }
}

/** Its place in the box's one sequence. */
function numberOf({ messageId }: Outgoing): number {
  return Number(messageId.slice(messageId.lastIndexOf('-') + 1));
}
