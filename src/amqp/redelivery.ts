import { readdir } from 'node:fs/promises';
import { lockFile } from 'cgroup-utils-native';
import { fsPath } from '../bytes.js';
import type { Logger } from '../log.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import type * as Spool from '../spool/index.js';
import { forUser, outgoingKey } from './keys.js';
import { publishChannels } from './publish-channels.js';
import type { Publisher } from './publisher.js';

/** Longest wait for one confirm. */
const CONFIRM_MS = 10_000;

/**
 * Delivers the messages that earlier boxes of this user have left in the spool of this host, on a channel of its own
 * beside the box's own messages. One process at a time does this, and only while its link is up.
 */
export class Redelivery {
  #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(
    readonly spec: Pick<BoxSpec, 'spoolDir' | 'spoolMaxAgeMs' | 'exchange' | 'eventsKey'>,
    readonly identity: Pick<JobIdentity, 'box'>,
    readonly loadSpool: () => typeof Spool,
    readonly log: Logger,
  ) {}

  /** Call this when the link is up. */
  start(publisher: Publisher): void {
    const { spoolDir } = this.spec;
    if (spoolDir === undefined) return;
    this.#stop = new AbortController();
    this.#done = this.#run(publisher, spoolDir, this.#stop).catch((error: Error) => this.log.warn(error.message));
  }

  /** Call this when the link is lost, or the time is over. */
  stop(): void {
    this.#stop.abort();
  }

  /** Resolves when everything has been delivered, or nothing more can be. */
  settled(): Promise<void> {
    return this.#done;
  }

  async #run(publisher: Publisher, spoolDir: string, stop: AbortController): Promise<void> {
    const { spec, identity, log } = this;
    if (!(await hasSpooled(`${spoolDir}/${process.geteuid?.()}`, identity.box))) return;
    const { deliverInTurn, openFolder, toLog } = this.loadSpool();
    await using folder = await openFolder(spoolDir, process.geteuid?.() ?? -1, false);
    if (folder === undefined || !lockFile(folder.fd)) return;
    const delivery = {
      channel: publishChannels(publisher, stop.signal, CONFIRM_MS),
      eventsTo: eventsTo(spec),
      stop: stop.signal,
      confirmMs: CONFIRM_MS,
      maxAgeMs: spec.spoolMaxAgeMs,
      except: identity.box,
      warn: toLog(log),
    };
    const { messages, dropped } = await deliverInTurn([{ folder, delivery }], () => stop.abort());
    if (messages > 0) log.info(`spool: delivered ${messages} messages of earlier boxes; ${dropped} were lost`);
  }
}

/** @returns tells the exchange and routing key for the events of a box */
export function eventsTo({ exchange, eventsKey }: Pick<BoxSpec, 'exchange' | 'eventsKey'>) {
  return ({ host, user }: JobIdentity) => ({ exchange, routingKey: outgoingKey(forUser(eventsKey, user), host) });
}

/** Does not load the spool's bundle, since most often the spool is empty. */
async function hasSpooled(path: string, box: string): Promise<boolean> {
  try {
    return (await readdir(fsPath(path))).some((name) => name.endsWith('.spool') && !name.startsWith(box));
  } catch {
    return false; // ENOENT; any other problem is reported once this box has to keep messages there
  }
}
