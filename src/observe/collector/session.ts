import { isSpecError } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Observed } from '../model/observed.js';
import { type Consumer, startConsumer } from './consume/consumer.js';
import { Intake } from './consume/intake.js';
import type { LiveBox } from './live/box.js';
import { Boxes } from './live/boxes.js';
import type { CollectorOptions } from './options.js';
import type { Database } from './store/database.js';
import { applyRetention } from './store/retention.js';
import { Store } from './store/store.js';

/** The working life of a collector, from the moment that the store is its own. Before that it stands by. */

export interface SessionOptions {
  readonly options: CollectorOptions;
  /** @returns null if another collector has the store */
  readonly openStore: () => Promise<Database | null>;
  readonly host: string;
  readonly log: Logger;
  readonly onMessage: (box: LiveBox, message: Observed, body: Buffer) => void;
  /** Called once a second while it works. */
  readonly onTick: (session: Session) => void;
}

/** How often a collector that stands by looks whether the store is free. */
const STANDBY_MS = 2_000;
const STORE_RETRY_MS = 5_000;
const TICK_MS = 1_000;
const MAINTAIN_MS = 30_000;
const RETENTION_MS = 3_600_000;
/** A box that has not ended and says nothing for this long leaves the memory; its next message brings it back. */
const FORGET_SILENT_MS = 86_400_000;

export class Session {
  readonly boxes = new Boxes();
  readonly #options: SessionOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #database: Database | null = null;
  #intake: Intake | null = null;
  #consumer: Consumer | null = null;
  #problem: string | null = 'the collector starts';
  #isClosed = false;
  #wake: (() => void) | null = null;
  #retention: Promise<unknown> = Promise.resolve();
  #tellLost: () => void = () => {};
  /** Resolves when the store is lost, as the connection to it was: then a session of its own has to begin anew. */
  readonly lost = new Promise<void>((resolve) => {
    this.#tellLost = resolve;
  });

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Why it does not take messages now; null if it does. */
  get problem(): string | null {
    return this.#problem;
  }

  get intake(): Intake | null {
    return this.#intake;
  }

  get consumer(): Consumer | null {
    return this.#consumer;
  }

  /** @throws Error while the collector stands by; requests are refused then */
  get database(): Database {
    if (this.#database === null) throw new Error('the store is not open');
    return this.#database;
  }

  get isOpen(): boolean {
    return this.#database !== null;
  }

  /** Waits for the store, loads what it has, and begins to consume. @throws SpecError, EnvironmentError */
  async begin(): Promise<void> {
    const { options, log, host } = this.#options;
    const database = await this.#open();
    if (database === null) return;
    const store = new Store(database);
    await store.prepare();
    const began = performance.now();
    const loaded = await store.load(Date.now(), options.keepLiveMs, options.resolutionMs);
    this.#database = database;
    const intake = new Intake({
      store,
      boxes: this.boxes,
      loaded,
      resolutionMs: options.resolutionMs,
      log,
      onMessage: this.#options.onMessage,
      onStore: (problem) => this.#storeProblem(problem),
    });
    this.#intake = intake;
    this.#problem = null;
    log.info(`the store is open: ${loaded.boxes.length} boxes, read in ${Math.round(performance.now() - began)} ms`);
    const { spec, queue, queueMaxBytes: maxBytes, prefetch } = options;
    this.#consumer = startConsumer({
      spec,
      host,
      queue,
      keys: [`${spec.statsKey}.#`, `${spec.eventsKey}.#`],
      prefetch,
      maxBytes,
      take: (delivered) => intake.take(delivered),
      log,
    });
    this.#every(TICK_MS, () => this.#tick());
    this.#every(MAINTAIN_MS, () => void this.#maintain());
    this.#every(RETENTION_MS, () => this.#retain());
    this.#retain();
  }

  /** Takes no more messages, commits what it has, and frees the store. Never rejects. */
  async close(mostMs: number): Promise<void> {
    const graceMs = this.#database?.isLost ? 0 : mostMs;
    this.#isClosed = true;
    this.#wake?.();
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#intake !== null && !(await this.#intake.close(graceMs)))
      this.#options.log.warn('the store did not accept the last messages: they stay in the broker');
    await this.#consumer?.close(graceMs);
    await this.#retention;
    await this.#database?.close().catch((error: Error) => this.#options.log.warn(error.message));
  }

  async #open(): Promise<Database | null> {
    const { openStore, log } = this.#options;
    for (let told = ''; !this.#isClosed; ) {
      let why = 'another collector is using the store: standing by';
      let waitMs = STANDBY_MS;
      try {
        const database = await openStore();
        if (database !== null) return database;
      } catch (error) {
        const { name, message } = error as Error;
        if (name !== 'DatabaseError' || isSpecError(error)) throw error;
        why = message;
        waitMs = STORE_RETRY_MS;
      }
      this.#problem = why;
      if (why !== told) log.warn(why);
      told = why;
      await this.#pause(waitMs);
    }
    return null;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #every(ms: number, step: () => void): void {
    this.#timers.push(setInterval(step, ms));
  }

  #tick(): void {
    if (this.#database?.isLost) return this.#tellLost();
    this.#intake?.tick();
    const nowMs = Date.now();
    for (const box of this.boxes.all()) {
      const keepMs = box.end === null ? FORGET_SILENT_MS : this.#options.options.keepLiveMs;
      if (nowMs - box.receivedMs > keepMs && box.points.count === 0) this.boxes.remove(box);
    }
    this.#options.onTick(this);
  }

  async #maintain(): Promise<void> {
    try {
      await this.#database?.maintain();
    } catch (error) {
      this.#options.log.warn((error as Error).message);
    }
  }

  #retain(): void {
    const { options, log } = this.#options;
    const keep = { fullMs: options.keepFullMs, thinMs: options.keepThinMs };
    this.#retention = this.#retention
      .then(() => (this.#isClosed ? 0 : applyRetention(this.database, keep, Date.now(), () => this.#isClosed)))
      .then((dropped) => void (dropped > 0 && log.info(`the store has dropped ${dropped} old weeks`)))
      .catch((error: Error) => log.warn(`cannot delete old data: ${error.message}; trying again in an hour`));
  }

  #storeProblem(problem: string | null): void {
    const { log } = this.#options;
    if (problem === null) log.info('the store accepts data again');
    else log.error(`${problem}; messages wait in the broker until the store accepts them`);
    this.#problem = problem;
  }
}
