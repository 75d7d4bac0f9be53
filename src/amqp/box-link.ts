import { randomBytes } from 'node:crypto';
import type { Logger } from '../log.js';
import type { CommandEvent, EventHead } from '../model/event.js';
import type { Controllable, Outgoing } from '../model/types.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import { createAuditLog } from '../stats/audit-log.js';
import { watchAlarms } from './alarms.js';
import { CommandHandler } from './command-handler.js';
import { controlConfig } from './config.js';
import { type Failure, WRONG_TYPE } from './failure.js';
import { gateOf } from './gate-of.js';
import { boxKey, keySegment } from './keys.js';
import { Link, type LinkOptions, type LinkState, type Session } from './link.js';
import { noTopicExchange, onceFor, refusedAnswer } from './log-lines.js';
import { Outbox } from './outbox.js';
import { Probe } from './probe.js';
import { toPublication } from './publication.js';
import { openPublisher, type Publication, type Publisher } from './publisher.js';
import type { Queue } from './queue.js';
import { type BrokerSession, openBroker } from './rascal.js';
import { Redelivery } from './redelivery.js';
import { Replies } from './replies.js';
import type * as Signed from './signed.js';
import { SpooledOutbox } from './spooled-outbox.js';
import { subscribe } from './subscribe.js';
import { within } from './within.js';

export interface BrokerState {
  readonly control: LinkState;
  readonly statistics: LinkState;
  readonly outbox: { readonly messages: number; readonly bytes: number; readonly dropped: number };
  /** Command messages that the box refused. */
  readonly refused: number;
}

export interface BrokerLink {
  /** Queues a message in the ordered outbox; never blocks, never throws. */
  publish(message: Outgoing): void;
  /** Writes the event of a command to the file of `--audit-log`, if the option was given. */
  audit(event: EventHead & CommandEvent): void;
  /** Messages given up so far. */
  readonly dropped: number;
  state(): BrokerState;
  /** Waits at most this long for the outbox to drain, then ends everything, which takes at most another second. */
  close(deadlineMs: number): Promise<Closed>;
}

export interface Closed {
  /** Messages that the broker has not confirmed. */
  readonly undelivered: number;
  /** The spool file that keeps them; null if they are lost. */
  readonly spooled: string | null;
  /** The link goes on, and delivers them when it can: that of a node, which outlives its boxes. */
  readonly kept?: true;
  /**
   * How long the end waited for the broker: the time of `--flush`, or not at all, because no retry could have helped or
   * because the user had not asked for a broker.
   */
  readonly given: 'time' | 'nothing: no login' | 'nothing: not asked';
}

/**
 * Memory that a queued message takes beside its bytes: the Buffer object and its allocation, the id, the queue entry.
 * test/amqp/heap.test.ts measures it.
 */
export const MESSAGE_OVERHEAD_BYTES = 768;
const NOT_ASKED = 'the job goes on without it; --uri names another broker, --uri none turns this off';
/** Bound for writing the last lines of the audit log when the box ends. */
export const AUDIT_MS = 1_000;
/** Bound for marking which messages of other boxes were delivered, when the box ends. */
export const REDELIVERY_MS = 1_000;

interface Parts {
  readonly spec: BoxSpec;
  readonly box: Controllable;
  readonly log: Logger;
  readonly loadSigned: () => typeof Signed;
  readonly loadSpool: () => typeof Spool;
}

/**
 * A box's two connections to the broker: `statistics` carries everything that leaves the box, `control` consumes the
 * queue of its commands.
 */
export class BoxLink implements BrokerLink {
  readonly #spec: BoxSpec;
  readonly #log: Logger;
  /** The user wants a broker: by `--uri`, or by `--spool-dir`, which keeps messages on disk for one. */
  readonly #asked: boolean;
  readonly #outbox: Outbox;
  readonly #spooled: SpooledOutbox | undefined;
  readonly #queue: Queue;
  readonly #publication: (message: Outgoing, content: Buffer) => Publication;
  readonly #replies: Replies;
  readonly #handler: CommandHandler;
  readonly #auditLog: ReturnType<typeof createAuditLog> | undefined;
  readonly #redelivery: Redelivery;
  readonly #probe: Probe;
  readonly #statistics: Link<Publisher>;
  readonly #control: Link<BrokerSession>;
  #answersRefused = 0;
  #onPointless = () => {};

  constructor({ spec, box, log, loadSigned, loadSpool }: Parts) {
    const { identity } = box;
    this.#spec = spec;
    this.#log = log;
    this.#asked = spec.uriAsked || spec.spoolDir !== undefined;
    this.#outbox = createOutbox(spec, log);
    this.#publication = toPublication(spec, box);
    this.#spooled =
      spec.spoolDir === undefined
        ? undefined
        : new SpooledOutbox({
            spec,
            identity,
            outbox: this.#outbox,
            toPublication: this.#publication,
            loadSpool,
            log,
          });
    this.#queue = this.#spooled ?? this.#outbox;
    this.#replies = new Replies(spec.replyExchange, spec.rascalConfig?.publications?.replies);
    const gate = gateOf(spec, identity, log, loadSigned);
    this.#handler = new CommandHandler(box, gate, (reply) => this.#replies.push(reply), log);
    this.#auditLog = spec.auditLog === undefined ? undefined : createAuditLog(spec.auditLog, log);
    this.#redelivery = new Redelivery(spec, identity, loadSpool, log);
    this.#probe = new Probe(spec.exchange, boxKey(spec.routingKeys, identity), {
      isBound: () => this.#control.state.state === 'up',
      rebind: (error) => this.#control.restart(error),
      deaf: () => log.warn(noTopicExchange(spec.exchange)),
    });
    const told = onceFor(this.#asked);
    this.#statistics = this.#statisticsLink(this.#common('statistics', identity, told));
    this.#control = this.#controlLink(this.#common('control', identity, told), identity);
    // Statistics first: nobody can command a job that ends within milliseconds, but its samples must get out.
    this.#statistics.start();
    // Control starts a turn of the event loop later: if the job has ended by then, `close` comes first and control
    // never connects.
    setImmediate(() => setImmediate(() => this.#control.start()));
  }

  publish(message: Outgoing): void {
    this.#queue.push(message);
  }

  audit(event: EventHead & CommandEvent): void {
    this.#auditLog?.append(event);
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  state(): BrokerState {
    const { length, bytes, dropped } = this.#queue;
    return {
      control: this.#control.state,
      statistics: this.#statistics.state,
      outbox: { messages: length, bytes, dropped },
      refused: this.#handler.refused,
    };
  }

  async close(deadlineMs: number): Promise<Closed> {
    const controlClosed = this.#control.close(deadlineMs);
    this.#statistics.hurry();
    const pointless = new Promise<void>((resolve) => {
      this.#onPointless = resolve;
    });
    if (this.#isPointless()) this.#onPointless();
    const redelivery = this.#redelivery;
    const sent = Promise.all([this.#queue.drained(), this.#replies.flushed()]).then(() => redelivery.settled());
    await within(deadlineMs, Promise.race([pointless, sent]));
    redelivery.stop();
    await within(REDELIVERY_MS, redelivery.settled());
    const undelivered = this.#queue.length;
    const given = this.#isUnaskedAndAbsent()
      ? 'nothing: not asked'
      : this.#statistics.hopeless
        ? 'nothing: no login'
        : 'time';
    const [spooled = null] = await Promise.all([
      this.#spooled?.close(),
      controlClosed,
      this.#statistics.close(undelivered === 0 ? 1_000 : 0),
      this.#auditLog?.close(AUDIT_MS),
    ]);
    return { undelivered, spooled, given };
  }

  #common(name: string, { box }: JobIdentity, told: (failure: Failure) => boolean) {
    const { uris, exchange, rascalConfig: site = {} } = this.#spec;
    return {
      uris,
      log: this.#log,
      name,
      told,
      ...(!this.#asked && { remedy: NOT_ASKED }),
      request: { exchange, connectionName: `proc_box ${box} ${name}`, site },
    };
  }

  #statisticsLink(common: Common): Link<Publisher> {
    return new Link<Publisher>({
      ...common,
      open: openPublisher,
      up: (publisher, fail, done) => this.#statisticsUp(publisher, fail, done),
      down: () => {
        this.#redelivery.stop();
        this.#probe.stop();
        this.#outbox.detach();
        this.#replies.detach();
      },
      failed: ({ missingExchange, kind }) => {
        if (kind === WRONG_TYPE) void this.#control.close(0);
        if (this.#isPointless()) this.#onPointless();
        // Deleting the exchange also deleted the bindings of the control queue, and the broker does not report that.
        if (missingExchange && this.#statistics.state.connections > 0) {
          this.#control.restart(new Error('the exchange was deleted'));
        }
      },
    });
  }

  #statisticsUp(publisher: Publisher, fail: (error: unknown) => void, done: () => void): void {
    watchAlarms(publisher, this.#log, (blocked) => this.#setBlocked(blocked));
    publisher.onRefused((error) => {
      this.#log[this.#answersRefused++ === 0 ? 'warn' : 'debug'](refusedAnswer(error, this.#spec));
    });
    done();
    this.#replies.attach(publisher);
    this.#outbox.attach(
      (message, content, sent) => publisher.publish(this.#publication(message, content), sent),
      () => fail(new Error('no confirm: no answer on the connection')),
    );
    this.#redelivery.start(publisher);
    this.#probe.start(publisher);
  }

  #setBlocked(blocked: boolean): void {
    this.#outbox.setBlocked(blocked);
    this.#replies.setBlocked(blocked);
  }

  #controlLink(common: Common, identity: JobIdentity): Link<BrokerSession> {
    const prefix = `proc_box.ctl.${keySegment(identity.user)}.${keySegment(identity.box)}`;
    return new Link<BrokerSession>({
      ...common,
      open: (request, opened) => {
        const queue = `${prefix}.${randomBytes(6).toString('hex')}`;
        openBroker(controlConfig(request, this.#spec.routingKeys, identity, queue), opened);
      },
      up: ({ broker }, fail, done) => subscribe(broker, this.#handler, this.#probe.id, fail, done),
      down: () => this.#handler.reset(),
    });
  }

  /** Only the default broker is configured, and nothing answers there. */
  #isUnaskedAndAbsent(): boolean {
    const { connections, lastError } = this.#statistics.state;
    return !this.#asked && connections === 0 && lastError !== null;
  }

  /** More time would deliver nothing. */
  #isPointless(): boolean {
    return this.#statistics.hopeless || this.#isUnaskedAndAbsent();
  }
}

type Common = Pick<LinkOptions<Session>, 'uris' | 'log' | 'name' | 'told' | 'remedy' | 'request'>;

function createOutbox(spec: BoxSpec, log: Logger): Outbox {
  const bounds = {
    maxMessages: spec.outboxMaxMessages,
    maxBytes: spec.outboxMaxBytes,
    overheadBytes: MESSAGE_OVERHEAD_BYTES,
    messageTimeoutMs: spec.messageTimeoutMs,
  };
  return new Outbox(bounds, log);
}
