import { userName } from 'cgroup-utils-native';
import { alarmText } from '../../amqp/failure.js';
import { forUser } from '../../amqp/keys.js';
import { Link } from '../../amqp/link.js';
import { publishChannels } from '../../amqp/publish-channels.js';
import { openPublisher, type Publisher } from '../../amqp/publisher.js';
import { eventsTo } from '../../amqp/redelivery.js';
import { after, type Delay } from '../../delay.js';
import { BrokerError } from '../../errors.js';
import type { Logger } from '../../log.js';
import { duration } from '../../options/amounts.js';
import type { BoxSpec } from '../../options/spec.js';
import { quote } from '../../options/words.js';
import {
  type Delivered,
  type DeliveryOptions,
  deliverInTurn,
  type Folder,
  type MessageRecord,
  NOTHING,
  SPOOLED,
  toLog,
} from '../../spool/index.js';

export interface FlushOptions {
  /** Longest wait for the broker: for the login, for one confirm, for the end of an alarm. */
  readonly waitMs: number;
  /** Longest time for everything; what is left then stays for the next time. */
  readonly mostMs: number;
  readonly log: Logger;
}

/** Delivers the folders in turn over one connection. @throws BrokerError if no broker can be used in time */
export async function flushFolders(
  folders: readonly Folder[],
  spec: BoxSpec,
  { waitMs, mostMs, log }: FlushOptions,
): Promise<Delivered> {
  if (!(await holdAny(folders))) return NOTHING;
  const stop = new AbortController();
  const late = setTimeout(() => {
    log.warn(
      `spool: not everything was delivered within ${mostMs / 1000} s (--max-time); the rest stays for the next flush`,
    );
    stop.abort();
  }, mostMs);
  const link = publisherLink(spec, stop, log);
  try {
    const publisher = await connected(link, Math.min(waitMs, mostMs));
    const tellAlarm = endOnAlarm(publisher, link.link, stop, waitMs, log);
    const channel = publishChannels(publisher, stop.signal, waitMs);
    const common = { channel, stop: stop.signal, confirmMs: waitMs, maxAgeMs: spec.spoolMaxAgeMs, warn: toLog(log) };
    const turns = rotated(folders).map((folder) => ({ folder, delivery: { ...common, ...rulesFor(folder, spec) } }));
    const result = await deliverInTurn(turns, () => stop.abort());
    tellAlarm();
    return result;
  } finally {
    clearTimeout(late);
    await link.link.close(Math.min(waitMs, 1_000));
  }
}

/**
 * Whether any folder has files. One that cannot be read (EACCES, EIO, ESTALE) counts: its delivery will report the
 * error.
 */
async function holdAny(folders: readonly Folder[]): Promise<boolean> {
  for (const folder of folders) {
    try {
      if ((await folder.names(SPOOLED)).length > 0) return true;
    } catch {
      return true;
    }
  }
  return false;
}

/** Begins with a random user, so that no user always comes first. */
function rotated(folders: readonly Folder[]): readonly Folder[] {
  const first = Math.floor(Math.random() * folders.length);
  return [...folders.slice(first), ...folders.slice(0, first)];
}

/**
 * Gives up if an alarm of the broker lasts too long. The broker tells of an alarm once, and then reads nothing from us
 * until it is over.
 * @returns call this at the end: it logs the alarm if that is why messages are left
 */
function endOnAlarm(publisher: Publisher, link: Link<Publisher>, stop: AbortController, waitMs: number, log: Logger) {
  let timer: NodeJS.Timeout | undefined;
  let reason: unknown;
  publisher.on('blocked', (why) => {
    reason = why;
    timer ??= setTimeout(() => stop.abort(), waitMs);
  });
  publisher.on('unblocked', () => {
    clearTimeout(timer);
    timer = undefined;
    reason = undefined;
  });
  return () => {
    clearTimeout(timer);
    if (reason === undefined) return;
    log.warn(`spool: broker ${link.state.broker}: ${alarmText(reason)}; given up after ${waitMs / 1000} s (--wait)`);
  };
}

interface PublisherLink {
  readonly link: Link<Publisher>;
  readonly up: Promise<Publisher>;
}

function publisherLink({ uris, exchange, rascalConfig }: BoxSpec, stop: AbortController, log: Logger): PublisherLink {
  let isUp: (publisher: Publisher) => void;
  const up = new Promise<Publisher>((resolve) => {
    isUp = resolve;
  });
  const link = new Link<Publisher>({
    name: 'spool',
    uris,
    log,
    request: { exchange, connectionName: 'proc_box spool flush', site: rascalConfig ?? {} },
    open: openPublisher,
    up: (publisher, _fail, done) => {
      done();
      isUp(publisher);
    },
    // There is only one attempt; what it could not deliver stays for the next flush.
    down: () => stop.abort(),
  });
  link.start();
  return { link, up };
}

async function connected({ link, up }: PublisherLink, waitMs: number): Promise<Publisher> {
  let wait: Delay | undefined;
  const late = new Promise<undefined>((resolve) => {
    wait = after(waitMs, () => resolve(undefined));
  });
  const publisher = await Promise.race([up, late]);
  wait?.cancel();
  if (publisher !== undefined) return publisher;
  throw new BrokerError(link.state.lastError ?? `broker ${link.state.broker}: no answer within ${duration(waitMs)}`);
}

/** Which messages of a folder may be published, and where the events of its boxes go. */
function rulesFor(folder: Folder, spec: BoxSpec): Pick<DeliveryOptions, 'eventsTo' | 'check' | 'doubt'> {
  const toWhere = eventsTo(spec);
  if (folder.uid === process.geteuid?.()) return { eventsTo: toWhere };
  const owner = userName(folder.uid);
  return {
    eventsTo: (identity) => (identity.user === owner ? toWhere(identity) : undefined),
    check: ownersOnly(spec, owner),
    // Without this, files would be set aside while the directory service is out of reach.
    doubt: ({ user }) => (owner === String(folder.uid) && user !== owner ? `uid ${owner} has no name now` : undefined),
  };
}

/**
 * Root may have more permissions on the broker than the owner of a file, who could have written anything into it. So
 * only messages that a box of the owner could have sent are published.
 * @returns says why a message may not be published; undefined if it may
 */
export function ownersOnly(
  { exchange, statsKey, eventsKey }: Pick<BoxSpec, 'exchange' | 'statsKey' | 'eventsKey'>,
  owner: string,
): (message: MessageRecord) => string | undefined {
  const prefixes = [statsKey, eventsKey].map((key) => `${forUser(key, owner)}.`);
  return (message) => {
    if (message.exchange !== exchange) return `it is for exchange ${quote(message.exchange)}`;
    if (!prefixes.some((prefix) => message.routingKey.startsWith(prefix))) {
      return `its routing key ${quote(message.routingKey)} is not below --skey or --ekey`;
    }
    const user = userIn(message.body);
    return user === owner ? undefined : `it names ${user === undefined ? 'no user' : `user ${quote(String(user))}`}`;
  };
}

function userIn(body: string): unknown {
  try {
    const value = JSON.parse(body) as { Identity?: { user?: unknown }; identity?: { user?: unknown } };
    // With both, we could check one and a consumer could read the other.
    if (value.Identity !== undefined && value.identity !== undefined) return undefined;
    return (value.Identity ?? value.identity)?.user;
  } catch {
    return undefined; // not JSON, so not one of our messages
  }
}
