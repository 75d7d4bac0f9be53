import { minified } from '../../options/verbatim.js';
import { printable } from '../../text.js';
import type { Observed } from '../model/observed.js';
import { parseMessage } from '../model/parse.js';
import { type Filter, fits } from '../source/filter.js';
import type { FeedHandlers, MessageFeed } from '../source/link.js';
import type { Look } from '../terminal/look.js';
import { messageLine } from './line.js';
import { LineWriter, type WriteEnd } from './writer.js';

/** Prints samples and events as they come. */

export interface WatchOptions extends Pick<FeedHandlers, 'onState' | 'onLeftOut'> {
  /** Makes the feed. Its messages count as dealt with once they are written, so a slow reader bounds what we keep. */
  readonly feed: (handlers: FeedHandlers) => MessageFeed;
  readonly filter: Filter;
  /** `sample`, `event`, and names of events; empty means everything. */
  readonly only: readonly string[];
  readonly json: boolean;
  readonly look: Look;
  /** Ends after this many messages. @default never */
  readonly count: number | undefined;
  /** Ends after the first event of this name. */
  readonly until: string | undefined;
  /** Ends after this time, ms. */
  readonly forMs: number | undefined;
}

export type WatchEnd = 'counted' | 'seen' | 'over' | WriteEnd;

/** @param fd where to print. @returns why it has ended. @throws what the feed throws if it cannot be opened */
export async function watch(options: WatchOptions, fd = 1): Promise<WatchEnd> {
  const { filter, only, json, look, count, until, forMs } = options;
  let end: (how: WatchEnd) => void = () => {};
  const ended = new Promise<WatchEnd>((resolve) => {
    end = resolve;
  });
  const writer = new LineWriter(fd, end);
  let printed = 0;
  let over = false;
  const feed = options.feed({
    onState: options.onState,
    ...(options.onLeftOut !== undefined && { onLeftOut: options.onLeftOut }),
    onMessage(content, done) {
      if (over) return;
      const message = parseMessage(content);
      if (message.kind === 'unreadable' || !isWanted(message, only) || !fits(filter, fieldsOf(message))) return done();
      const text = json ? printable(minified(content.toString())) : messageLine(message, look, Date.now());
      writer.write(`${text}\n`, done);
      printed++;
      const seen = message.kind === 'event' && message.event === until;
      over = seen || printed === count;
      if (over) end(seen ? 'seen' : 'counted');
    },
  });
  await feed.open();
  const timer = forMs === undefined ? undefined : setTimeout(() => end('over'), Math.min(forMs, 2 ** 31 - 1));
  const how = await ended;
  clearTimeout(timer);
  over = true;
  await writer.flush();
  await feed.close();
  return how;
}

export function isWanted(message: Observed, only: readonly string[]): boolean {
  if (only.length === 0) return true;
  return only.includes(message.kind) || (message.kind === 'event' && only.includes(message.event));
}

function fieldsOf({ identity, state }: Observed) {
  return { ...identity, state };
}
