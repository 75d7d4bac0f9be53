import { userName } from 'cgroup-utils-native';
import { Link } from '../amqp/link.js';
import { openPublisher, type Publisher } from '../amqp/publisher.js';
import { eventsTo } from '../amqp/redelivery.js';
import { BrokerError } from '../errors.js';
import type { Logger } from '../log.js';
import { duration } from '../spec/amounts.js';
import type { BoxSpec } from '../spec/spec.js';
import {
  add,
  type Delivered,
  deliverFolder,
  type Folder,
  type MessageRecord,
  NOTHING,
  SPOOLED,
} from '../spool/index.js';

export type FlushResult = Delivered;

/** Over one connection, folder by folder. @throws BrokerError where no broker can be used in time */
export async function flushFolders(
  folders: readonly Folder[],
  spec: BoxSpec,
  waitMs: number,
  log: Logger,
): Promise<FlushResult> {
  const names = await Promise.all(folders.map((folder) => folder.names(SPOOLED)));
  if (names.flat().length === 0) return NOTHING;
  const stop = new AbortController();
  const link = publisherLink(spec, stop, log);
  try {
    const publisher = await connected(link, waitMs);
    let sum = NOTHING;
    for (const folder of folders) sum = add(sum, await deliver(folder, publisher, spec, stop, log));
    return sum;
  } finally {
    await link.link.close(1_000);
  }
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
    // One connection: what it could not deliver is there for the next flush.
    down: () => stop.abort(),
  });
  link.start();
  return { link, up };
}

async function connected({ link, up }: PublisherLink, waitMs: number): Promise<Publisher> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
  });
  const publisher = await Promise.race([up, late]);
  clearTimeout(timer);
  if (publisher !== undefined) return publisher;
  throw new BrokerError(link.state.lastError ?? `broker ${link.state.broker}: no answer within ${duration(waitMs)}`);
}

function deliver(
  folder: Folder,
  publisher: Publisher,
  spec: BoxSpec,
  stop: AbortController,
  log: Logger,
): Promise<Delivered> {
  const others = folder.uid !== process.geteuid?.();
  const owner = userName(folder.uid);
  const toWhere = eventsTo(spec);
  return deliverFolder(folder, {
    publish: ({ exchange, routingKey, options, body }, done) =>
      publisher.publish({ exchange, routingKey, options, content: Buffer.from(body) }, done),
    eventsTo: (identity) => (others && identity.user !== owner ? undefined : toWhere(identity)),
    stop: stop.signal,
    maxAgeMs: spec.spoolMaxAgeMs,
    ...(others && { check: ownersOnly(spec, owner) }),
    log,
  });
}

/**
 * Root's permissions on the broker are not the owner's: of what the owner could have written into the file only that
 * is published which a box of theirs would have sent.
 */
export function ownersOnly(
  { exchange, statsKey, eventsKey }: Pick<BoxSpec, 'exchange' | 'statsKey' | 'eventsKey'>,
  owner: string,
): (message: MessageRecord) => string | undefined {
  return (message) => {
    if (message.exchange !== exchange) return `it is for exchange ${JSON.stringify(message.exchange)}`;
    if (![statsKey, eventsKey].some((key) => message.routingKey.startsWith(`${key}.`))) {
      return `its routing key ${JSON.stringify(message.routingKey)} is not below --skey or --ekey`;
    }
    const user = userIn(message.body);
    return user === owner ? undefined : `it is in the name of ${JSON.stringify(user ?? null)}`;
  };
}

function userIn(body: string): unknown {
  try {
    const value = JSON.parse(body) as { Identity?: { user?: unknown }; identity?: { user?: unknown } };
    // A body with both could show one to us and the other to its reader.
    if (value.Identity !== undefined && value.identity !== undefined) return undefined;
    return (value.Identity ?? value.identity)?.user;
  } catch {
    return undefined; // no JSON: no message of ours
  }
}
