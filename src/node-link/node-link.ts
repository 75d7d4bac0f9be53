import { randomBytes } from 'node:crypto';
import { watchAlarms } from '../amqp/alarms.js';
import { AUDIT_MS, type BrokerLink, type Closed, MESSAGE_OVERHEAD_BYTES, REDELIVERY_MS } from '../amqp/box-link.js';
import { CommandHandler } from '../amqp/command-handler.js';
import type { CommandMemory } from '../amqp/command-memory.js';
import { type Failure, WRONG_TYPE } from '../amqp/failure.js';
import { gateOf } from '../amqp/gate-of.js';
import { addressingKeys, forUser, groupKeys, keySegment, singleKeys } from '../amqp/keys.js';
import { Link, type LinkOptions, type Session } from '../amqp/link.js';
import { noTopicExchange, onceFor, refusedAnswer } from '../amqp/log-lines.js';
import type { Delivery } from '../amqp/message.js';
import { toPublication } from '../amqp/publication.js';
import { openPublisher, type Publisher } from '../amqp/publisher.js';
import { Redelivery } from '../amqp/redelivery.js';
import { Replies } from '../amqp/replies.js';
import { within } from '../amqp/within.js';
import type { Logger } from '../log.js';
import type { Controllable } from '../model/types.js';
import type { BoxSpec } from '../options/spec.js';
import { createAuditLog } from '../stats/audit-log.js';
import { AttachedBox } from './attached-box.js';
import { Bindings } from './bindings.js';
import { type ControlSession, openControl } from './control-session.js';
import { Dispatcher } from './dispatcher.js';
import { FairOutbox, type Quotas } from './fair-outbox.js';
import { Lanes } from './lanes.js';
import { LateKeys } from './late-keys.js';
import { newNodeId, nodeIdentity } from './node-identity.js';
import type { NodeLink, NodeLinkOptions, NodeStatus, Owner } from './node-options.js';
import { NodeSpool } from './node-spool.js';
import { nodeTimes } from './node-times.js';
import { Probes } from './probes.js';

const QUOTAS: Quotas = { maxBytes: 32 * 1024 * 1024, messagesPerSec: 1_000, burst: 20_000 };
const LATE_BIND_MS = 15_000;
const LATE_BINDINGS_MAX = 4_096;
const HEARTBEAT_SEC = 60;
/** Statistics may be this late if others have left just before. */
const GATHER_MS = 50;
/** How long new messages wait for those that an earlier process of the node has left in the spool. */
const HOLD_MS = 60_000;
/** A broadcast makes as many answers as the node has boxes. */
const REPLIES_MAX = 10_000;

type Common = Pick<LinkOptions<Session>, 'uris' | 'log' | 'name' | 'told' | 'request' | 'times'>;

/** Connects in the background, and reconnects until `close`; returns at once. Does not throw for valid options. */
export function createNodeLink(options: NodeLinkOptions): NodeLink {
  return new SharedLink(options);
}

class SharedLink implements NodeLink {
  readonly #options: NodeLinkOptions;
  readonly #log: Logger;
  readonly #id = newNodeId(Date.now());
  readonly #outbox: FairOutbox;
  readonly #spool: NodeSpool | undefined;
  readonly #lanes: Lanes;
  readonly #replies: Replies;
  readonly #redelivery: Redelivery;
  readonly #bindings: Bindings;
  readonly #late: LateKeys;
  readonly #dispatcher = new Dispatcher();
  readonly #probes: Probes;
  readonly #auditLog: ReturnType<typeof createAuditLog> | undefined;
  readonly #statistics: Link<Publisher>;
  readonly #control: Link<ControlSession>;
  readonly #boxes = new Set<AttachedBox>();
  /** Codes of refusals that the log has named. */
  readonly #refusals = new Set<string>();
  readonly #drained: (() => void)[] = [];
  #publisher: Publisher | undefined;
  /** The spool of earlier processes was delivered, or took too long. */
  #isReleased = false;
  #answersRefused = 0;
  #onPointless = () => {};

  constructor(options: NodeLinkOptions) {
    const { log, spoolDir, loadSpool = notLoadable, host, quotas, auditLog } = options;
    this.#options = options;
    this.#log = log;
    const { outboxMaxMessages: maxMessages, outboxMaxBytes: maxBytes, messageTimeoutMs } = options;
    const bounds = { maxMessages, maxBytes, overheadBytes: MESSAGE_OVERHEAD_BYTES };
    this.#outbox = new FairOutbox(bounds, { ...QUOTAS, ...quotas }, log);
    this.#lanes = new Lanes({
      messageTimeoutMs,
      gatherMs: GATHER_MS,
      log,
      onLeft: (parcel, delivered) => {
        this.#outbox.left(parcel, delivered);
        this.#settle();
      },
    });
    if (spoolDir !== undefined) this.#spool = this.#makeSpool(spoolDir);
    this.#outbox.overflow = this.#spool;
    this.#replies = new Replies(
      options.replyExchange,
      options.rascalConfig?.publications?.replies,
      undefined,
      REPLIES_MAX,
    );
    this.#redelivery = new Redelivery(options, { box: this.#id }, loadSpool, log);
    this.#bindings = new Bindings({ lateMax: options.lateBindingsMax ?? LATE_BINDINGS_MAX, log });
    this.#late = new LateKeys(this.#bindings, options.lateBindMs ?? LATE_BIND_MS);
    this.#probes = new Probes(this.#id, {
      want: (exchange, key) => this.#bindings.want(exchange, [key], false),
      release: (exchange, key) => this.#bindings.release(exchange, [key]),
      isBound: () => this.#control.state.state === 'up' && this.#bindings.isSettled,
      rebind: (exchange) => this.#bindings.rebind(exchange),
      deaf: (exchange) => log.warn(noTopicExchange(exchange)),
    });
    this.#auditLog = auditLog === undefined ? undefined : createAuditLog(auditLog, log);
    const told = onceFor(true);
    this.#statistics = this.#statisticsLink(this.#common('statistics', host, told));
    this.#control = this.#controlLink(this.#common('control', host, told));
    this.#statistics.start();
    this.#control.start();
  }

  attach(box: Controllable, spec: BoxSpec, owner: Owner, memory?: CommandMemory): BrokerLink {
    const { identity } = box;
    const { exchange, statsKey, eventsKey, routingKeys } = spec;
    const { controlAuth, controlRules, controlKeys, rascalConfig, log, loadSigned = notLoadable } = this.#options;
    const { lane, leave } = this.#lanes.join(this.#ownRoute(spec, owner));
    const queue = this.#outbox.add(
      owner.uid,
      lane,
      toPublication({ exchange, statsKey, eventsKey, rascalConfig }, box),
    );
    const gate = gateOf({ exchange, routingKeys, controlAuth, controlRules, controlKeys }, identity, log, loadSigned);
    const handler = new CommandHandler(box, gate, (reply) => this.#replies.push(reply), log, this.#refusals, memory);
    const keys = addressingKeys(routingKeys, identity);
    const probed = routingKeys[0] === undefined ? undefined : forUser(routingKeys[0], identity.user);
    const attached: AttachedBox = new AttachedBox(
      {
        push: (own, message) => this.#outbox.push(own, message),
        audit: (event) => this.#auditLog?.append(event),
        links: () => ({ control: this.#control.state, statistics: this.#statistics.state }),
        pointless: () => this.#pointless(),
        leave: () => {
          this.#boxes.delete(attached);
          this.#dispatcher.remove(attached, exchange, keys);
          this.#bindings.release(exchange, groupKeys(routingKeys, identity));
          this.#late.remove(attached);
          this.#probes.remove(exchange, probed);
        },
        gone: () => {
          this.#outbox.remove(queue);
          leave();
        },
      },
      queue,
      handler,
    );
    this.#boxes.add(attached);
    this.#dispatcher.add(attached, exchange, keys);
    this.#bindings.want(exchange, groupKeys(routingKeys, identity), false);
    this.#late.add(attached, exchange, singleKeys(routingKeys, identity));
    this.#probes.add(exchange, probed);
    return attached;
  }

  status(): NodeStatus {
    return {
      control: this.#control.state,
      statistics: this.#statistics.state,
      outbox: { messages: this.#outbox.length, bytes: this.#outbox.bytes },
      spool: { messages: this.#spool?.length ?? 0 },
      dropped: this.#outbox.dropped,
      boxes: this.#boxes.size,
      bindings: this.#bindings.counts,
      strays: this.#dispatcher.strays,
    };
  }

  async close(flushMs: number): Promise<Closed> {
    const controlClosed = this.#control.close(flushMs);
    this.#late.close();
    this.#statistics.hurry();
    const pointless = new Promise<void>((resolve) => {
      this.#onPointless = resolve;
    });
    if (this.#pointless() !== undefined) this.#onPointless();
    const sent = Promise.all([this.#drainedAll(), this.#replies.flushed()]);
    await within(flushMs, Promise.race([pointless, sent]));
    this.#redelivery.stop();
    await within(REDELIVERY_MS, this.#redelivery.settled());
    const undelivered = this.#unconfirmed;
    const given = this.#pointless() ?? 'time';
    // What is confirmed from now on would be on disk as well.
    this.#lanes.close();
    const [kept] = await Promise.all([
      this.#spool?.close(),
      controlClosed,
      this.#statistics.close(undelivered === 0 ? 1_000 : 0),
      this.#auditLog?.close(AUDIT_MS),
    ]);
    if (kept !== undefined && kept.lost > 0) {
      this.#log.warn(`spool: ${kept.lost} messages are lost: the disk did not take them`);
    }
    return { undelivered, spooled: kept?.path ?? null, given };
  }

  get #unconfirmed(): number {
    return this.#outbox.length + (this.#spool?.length ?? 0);
  }

  #drainedAll(): Promise<void> {
    return this.#unconfirmed === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  #settle(): void {
    if (this.#drained.length > 0 && this.#unconfirmed === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Undefined for a box whose messages go where the node's own go. */
  #ownRoute({ exchange, statsKey, eventsKey }: BoxSpec, { uid }: Owner) {
    const own = this.#options;
    const isOwn = exchange !== own.exchange || statsKey !== own.statsKey || eventsKey !== own.eventsKey;
    return isOwn ? { uid, exchange, statsKey, eventsKey } : undefined;
  }

  #makeSpool(spoolDir: string): NodeSpool {
    const { spoolMaxBytes: maxBytes, spoolMaxAgeMs: maxAgeMs, loadSpool = notLoadable, log } = this.#options;
    const identity = nodeIdentity(this.#id, this.#options);
    return new NodeSpool({ spoolDir, maxBytes, maxAgeMs, identity, outbox: this.#outbox, loadSpool, log });
  }

  #common(name: string, host: string, told: (failure: Failure) => boolean): Common {
    const { uris, exchange, rascalConfig: site = {}, retryWaitsMs, log } = this.#options;
    const request = { exchange, connectionName: `proc_box node ${host} ${name}`, site, heartbeatSec: HEARTBEAT_SEC };
    return { uris, log, name, told, request, times: nodeTimes(retryWaitsMs) };
  }

  #statisticsLink(common: Common): Link<Publisher> {
    return new Link<Publisher>({
      ...common,
      open: openPublisher,
      up: (publisher, fail, done) => this.#statisticsUp(publisher, fail, done),
      down: () => {
        this.#publisher = undefined;
        this.#redelivery.stop();
        this.#probes.stop();
        this.#lanes.detach();
        this.#replies.detach();
      },
      failed: ({ missingExchange, kind }) => {
        if (kind === WRONG_TYPE) void this.#control.close(0);
        if (this.#pointless() !== undefined) this.#onPointless();
        if (missingExchange && this.#statistics.state.connections > 0) this.#bindings.rebind(this.#options.exchange);
      },
    });
  }

  #statisticsUp(publisher: Publisher, fail: (error: unknown) => void, done: () => void): void {
    this.#publisher = publisher;
    watchAlarms(publisher, this.#log, (blocked) => this.#setBlocked(blocked));
    publisher.onRefused((error) => {
      this.#log[this.#answersRefused++ === 0 ? 'warn' : 'debug'](refusedAnswer(error, this.#options));
    });
    done();
    this.#replies.attach(publisher);
    this.#probes.start(publisher);
    this.#redelivery.start(publisher);
    const release = () => {
      if (this.#publisher !== publisher) return;
      this.#isReleased = true;
      this.#lanes.attach(publisher, fail);
    };
    // A box may have messages in the spool, from a process before this one: they come first.
    if (this.#isReleased || this.#spool === undefined) release();
    else void within(HOLD_MS, this.#redelivery.settled()).then(release);
  }

  #setBlocked(blocked: boolean): void {
    this.#lanes.setBlocked(blocked);
    this.#replies.setBlocked(blocked);
  }

  #controlLink(common: Common): Link<ControlSession> {
    const prefix = `proc_box.ctl.${keySegment(this.#options.user)}.${this.#id}`;
    return new Link<ControlSession>({
      ...common,
      open: (request, opened) => openControl(request, `${prefix}.${randomBytes(6).toString('hex')}`, opened),
      up: (session, _fail, done) => {
        this.#dispatcher.attach((asked) => session.waiting(asked));
        this.#bindings.attach(session);
        session.consume((delivery, ack) => this.#take(delivery, ack), done);
      },
      down: () => {
        this.#bindings.detach();
        this.#dispatcher.detach();
      },
    });
  }

  #take(delivery: Delivery, ack: () => void): void {
    if (this.#probes.isProbe(delivery)) ack();
    else this.#dispatcher.take(delivery, ack);
  }

  #pointless(): Exclude<Closed['given'], 'time'> | undefined {
    return this.#statistics.hopeless ? 'nothing: no login' : undefined;
  }
}

function notLoadable(): never {
  throw new Error('the caller gave no function that loads it');
}
