import { randomBytes } from 'node:crypto';
import type { Logger } from '../log.js';
import type { CommandEvent, EventHead } from '../model/event.js';
import type { Controllable, Outgoing } from '../model/types.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { redactUri } from '../options/uri.js';
import type * as Spool from '../spool/index.js';
import { createAuditLog } from '../stats/audit-log.js';
import { controlConfig } from './config.js';
import { Control } from './control.js';
import { type Failure, WRONG_TYPE } from './failure.js';
import { brokerGate, type Gate, onOwnRoute, userGate } from './gate.js';
import { addressingKeys, forUser, keySegment, outgoingKey } from './keys.js';
import { Link, type LinkState } from './link.js';
import type { Delivery } from './message.js';
import { Outbox, type Queue } from './outbox.js';
import { Probe } from './probe.js';
import { openPublisher, type Publication, type Publisher } from './publisher.js';
import { type AckOrNack, type Broker, type BrokerSession, openBroker } from './rascal.js';
import { Redelivery } from './redelivery.js';
import { Replies } from './replies.js';
import type * as Signed from './signed.js';
import { SpooledOutbox } from './spooled-outbox.js';
import { within } from './within.js';

/** Entry of the bundle that is loaded after the job was started: a box's link to the broker. */

export interface BrokerState {
  readonly control: LinkState;
  readonly statistics: LinkState;
  readonly outbox: { readonly messages: number; readonly bytes: number; readonly dropped: number };
  /** Messages that were turned down. */
  readonly refused: number;
}

export interface BrokerLink {
  /** Into the ordered outbox; never blocks, never throws. */
  publish(message: Outgoing): void;
  /** Writes a command's event into `--audit-log`, where there is one. */
  audit(event: EventHead & CommandEvent): void;
  /** Messages given up so far. */
  readonly dropped: number;
  state(): BrokerState;
  /** Waits at most that long for the outbox to drain, then ends everything; at most one more second. */
  close(deadlineMs: number): Promise<Closed>;
}

export interface Closed {
  /** Messages that the broker has not confirmed. */
  readonly undelivered: number;
  /** The file that keeps them; null where none does. */
  readonly spooled: string | null;
  /** What the end has given the broker: `--flush`, or nothing, where no try could help or nobody had asked for one. */
  readonly given: 'time' | 'nothing: no login' | 'nothing: not asked';
}

/** Of a message in memory: its buffer's head and allocation, its id, its place in the queue. Measured: test/amqp/outbox-memory.test.ts. */
const MESSAGE_OVERHEAD_BYTES = 768;
/** Kinds of failures. */
const OUT_OF_REACH = ['refused', 'name', 'silent'];
const NOT_ASKED = 'the job goes on without; --uri names another broker, --uri none none';
/** For the last lines of the audit log, at the end. */
const AUDIT_MS = 1_000;
/** For the marks of what was delivered of other boxes, at the end. */
const REDELIVERY_MS = 1_000;

/**
 * Connects in the background and keeps connecting; returns at once. Never throws once `spec` has been checked.
 * @param loadSigned loads what checks signatures, which only `--control-auth signed` needs
 * @param loadSpool loads what keeps messages on disk, once there are some to keep or to deliver
 */
export function connectBroker(
  spec: BoxSpec,
  box: Controllable,
  log: Logger,
  loadSigned: () => typeof Signed = notLoadable,
  loadSpool: () => typeof Spool = notLoadable,
): BrokerLink {
  const { identity } = box;
  const outbox = new Outbox(
    {
      maxMessages: spec.outboxMaxMessages,
      maxBytes: spec.outboxMaxBytes,
      overheadBytes: MESSAGE_OVERHEAD_BYTES,
      messageTimeoutMs: spec.messageTimeoutMs,
    },
    log,
  );
  const gate = onOwnRoute(
    gateFor(spec, identity, log, loadSigned),
    spec.exchange,
    addressingKeys(spec.routingKeys, identity),
  );
  const handler = new Control(box, gate, (reply) => replies.push(reply), log);
  const auditLog = spec.auditLog === undefined ? undefined : createAuditLog(spec.auditLog, log);
  const site = spec.rascalConfig ?? {};
  const replies = new Replies(spec.replyExchange, site.publications?.replies);
  const queuePrefix = `proc_box.ctl.${keySegment(identity.user)}.${keySegment(identity.box)}`;
  // Whoever keeps messages on disk wants them delivered.
  const asked = spec.uriAsked || spec.spoolDir !== undefined;
  const told = onceFor(asked);
  const common = (name: string) => ({
    uris: spec.uris,
    log,
    name,
    told,
    ...(!asked && { remedy: NOT_ASKED }),
    request: { exchange: spec.exchange, connectionName: `proc_box ${identity.box} ${name}`, site },
  });
  const publication = toPublication(spec, box);
  const spooled =
    spec.spoolDir === undefined
      ? undefined
      : new SpooledOutbox({ spec, identity, outbox, toPublication: publication, loadSpool, log });
  const queue: Queue = spooled ?? outbox;
  const redelivery = new Redelivery(spec, identity, loadSpool, log);
  const probe = new Probe(spec, identity, {
    isBound: () => control.state.state === 'up',
    rebind: (error) => control.restart(error),
    deaf: () => log.warn(noTopicExchange(spec.exchange)),
  });
  // Statistics first: a short job has ended before anybody could command it, but its samples have to get out.
  let gaveUp = () => {};
  let answersRefused = 0;
  const statistics = new Link<Publisher>({
    ...common('statistics'),
    open: openPublisher,
    up: (publisher, fail, done) => {
      publisher.on('blocked', () => {
        log.warn('statistics: the broker takes no messages now (memory or disk alarm); they wait in the outbox');
        outbox.setBlocked(true);
        replies.setBlocked(true);
      });
      publisher.on('unblocked', () => {
        log.info('statistics: the broker takes messages again');
        outbox.setBlocked(false);
        replies.setBlocked(false);
      });
      publisher.onRefused((error) => log[answersRefused++ === 0 ? 'warn' : 'debug'](refusedAnswer(error, spec)));
      done();
      replies.attach(publisher);
      outbox.attach(
        (message, content, sent) => publisher.publish(publication(message, content), sent),
        () => fail(new Error('no confirm: no answer on the connection')),
      );
      redelivery.start(publisher);
      probe.start(publisher);
    },
    down: () => {
      redelivery.stop();
      probe.stop();
      outbox.detach();
      replies.detach();
    },
    failed: ({ missingExchange, kind }) => {
      if (kind === WRONG_TYPE) void control.close(0);
      if (isPointless()) gaveUp();
      // A deleted exchange took the bindings of the control queue with it, and the broker says nothing about that.
      if (missingExchange && statistics.state.connections > 0) control.restart(new Error('the exchange was deleted'));
    },
  });
  const notAsked = () => !asked && statistics.state.connections === 0 && statistics.state.lastError !== null;
  const isPointless = () => statistics.hopeless || notAsked();
  const control = new Link<BrokerSession>({
    ...common('control'),
    open: (request, opened) => {
      const queue = `${queuePrefix}.${randomBytes(6).toString('hex')}`;
      openBroker(controlConfig(request, spec.routingKeys, identity, queue), opened);
    },
    up: ({ broker }, fail, done) => subscribe(broker, handler, probe.id, fail, done),
    down: () => handler.reset(),
  });
  statistics.start();
  // A turn of the event loop later: of a job that has ended meanwhile, `close` comes first, and nobody commands it.
  setImmediate(() => setImmediate(() => control.start()));
  return {
    publish: (message) => queue.push(message),
    audit: (event) => auditLog?.append(event),
    get dropped() {
      return queue.dropped;
    },
    state: () => ({
      control: control.state,
      statistics: statistics.state,
      outbox: { messages: queue.length, bytes: queue.bytes, dropped: queue.dropped },
      refused: handler.refused,
    }),
    async close(deadlineMs) {
      const controlClosed = control.close(deadlineMs);
      statistics.hurry();
      const hopeless = new Promise<void>((resolve) => {
        gaveUp = resolve;
      });
      if (isPointless()) gaveUp();
      const sent = Promise.all([queue.drained(), replies.flushed()]).then(() => redelivery.settled());
      await within(deadlineMs, Promise.race([hopeless, sent]));
      redelivery.stop();
      await within(REDELIVERY_MS, redelivery.settled());
      const undelivered = queue.length;
      const given = notAsked() ? 'nothing: not asked' : statistics.hopeless ? 'nothing: no login' : 'time';
      const [kept = null] = await Promise.all([
        spooled?.close(),
        controlClosed,
        statistics.close(undelivered === 0 ? 1_000 : 0),
        auditLog?.close(AUDIT_MS),
      ]);
      return { undelivered, spooled: kept, given };
    },
  };
}

/** Both links meet the same host: that it is out of reach is told once, and of a broker that nobody asked for no more than that. */
function onceFor(asked: boolean): (failure: Failure) => boolean {
  const told = new Set<string>();
  return ({ kind }) => {
    if (asked && !OUT_OF_REACH.includes(kind)) return false;
    const key = asked ? kind : '';
    const before = told.has(key);
    told.add(key);
    return before;
  };
}

/** What the broker has against an answer; statistics have a channel of their own and go on. */
function refusedAnswer(error: Error, { replyExchange }: BoxSpec): string {
  const why = /"([A-Z_]+ - [^"]*)"/.exec(error.message)?.[1] ?? error.message;
  const remedy =
    replyExchange === ''
      ? 'give the permission, or an exchange that this user may write with --reply-exchange (docs/security.md)'
      : 'it must exist, and this user must be allowed to write it (docs/security.md)';
  return `control: the broker refuses our answers: ${redactUri(why)}: ${remedy}; commands are carried out all the same`;
}

function noTopicExchange(exchange: string): string {
  return `control: exchange "${exchange}" does not route this box's keys to its queue, so commands do not reach it: is it a topic exchange (--exchange), and does somebody delete it again and again?`;
}

function notLoadable(): never {
  throw new Error('nothing was given to load it with');
}

function gateFor(
  { controlAuth, controlRules, controlKeys = '' }: BoxSpec,
  identity: JobIdentity,
  log: Logger,
  loadSigned: () => typeof Signed,
): Gate {
  switch (controlAuth) {
    case 'broker':
      return brokerGate(identity, Date.now);
    case 'user':
      return userGate(controlRules, identity, Date.now);
    case 'signed':
      return loadSigned().signedGate({ folder: controlKeys, identity, log });
  }
}

function subscribe(
  broker: Broker,
  handler: Control,
  probeId: string,
  fail: (error: unknown) => void,
  done: () => void,
): void {
  broker.subscribe('commands', (error, session) => {
    if (error) return fail(error);
    session.on('error', fail);
    session.on('cancel', fail);
    session.on('close', () => fail(new Error('the channel was closed')));
    session.on('subscribed', done);
    // What rascal stumbles over comes here; without these listeners it would be an error of the connection.
    for (const event of ['invalid_content', 'redeliveries_error', 'redeliveries_exceeded']) {
      session.on(event, (_: Error, message: Delivery, ack: AckOrNack) => handler.handle(message, ack));
    }
    // With this listener rascal begins to consume.
    session.on('message', (message: Delivery, _content: unknown, ack: AckOrNack) => {
      if (message.properties.messageId === probeId) ack(() => {});
      else handler.handle(message, ack);
    });
  });
}

/** How a box's samples and events are published. */
function toPublication(spec: BoxSpec, { identity }: Controllable): (message: Outgoing, content: Buffer) => Publication {
  const { exchange, rascalConfig } = spec;
  const keys = {
    sample: outgoingKey(forUser(spec.statsKey, identity.user), identity.host),
    event: outgoingKey(forUser(spec.eventsKey, identity.user), identity.host),
  };
  const site = rascalConfig?.publications?.statistics;
  return (message, content) => {
    const options = {
      persistent: true,
      ...site,
      contentType: 'application/json',
      messageId: message.messageId,
      timestamp: message.timestamp,
      type: message.type,
      appId: 'proc_box',
    };
    return { exchange, routingKey: keys[message.kind], content, options };
  };
}
