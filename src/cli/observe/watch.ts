import { EXIT } from '../../box/outcome.js';
import { describeError, SpecError } from '../../errors.js';
import { createLogger, type Logger } from '../../log.js';
import { CollectorFeed } from '../../observe/source/collector-feed.js';
import { Feed } from '../../observe/source/feed.js';
import type { FeedHandlers, MessageFeed } from '../../observe/source/link.js';
import { lookFor, lookOf } from '../../observe/terminal/look.js';
import { isTerminal } from '../../observe/terminal/tty.js';
import { EVENT_NAMES } from '../../observe/watch/line.js';
import { type WatchEnd, watch } from '../../observe/watch/watch.js';
import { naming } from '../../options/resolve.js';
import { parseCount, parseDuration } from '../../options/units.js';
import { isSet, readVerb, type Verb, type VerbOption, type VerbWords } from '../../options/verb-words.js';
import { didYouMean, quote } from '../../options/words.js';
import { print } from '../../print.js';
import type { CtlInput } from '../ctl/options.js';
import { brokerOf, OBSERVED } from './broker.js';
import { COLLECTOR, collectorOf } from './collector.js';
import { FILTERS, filterFrom, single } from './filters.js';
import { verbHelp } from './help.js';

const OWN = {
  ...FILTERS,
  ...COLLECTOR,
  only: { placeholder: 'kinds', help: 'sample, event, or names of events (started,oom,exited), separated by commas' },
  until: { placeholder: 'event', help: 'stop after showing the first event with this name, such as exited' },
  count: { placeholder: 'number', help: 'stop after this many messages' },
  for: { placeholder: 'duration', help: 'stop after this time' },
  json: { help: 'print the messages as received, one JSON object per line' },
  ascii: { help: 'print ASCII only; the default if the locale is not UTF-8' },
  help: { help: 'print this text' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;
type Own = keyof typeof OWN;

const WATCH: Verb<Own> = { name: 'proc_box watch', own: OWN, ofBox: OBSERVED, ends: 'with the words' };

const HEAD = `usage: proc_box watch [options]

Prints the samples and events of all boxes that you may see, as they arrive: one line each, or JSON. They come from the broker,
or from a collector.
`;
const TAIL = `
Examples:
  proc_box watch --job 1234 --until exited
  proc_box watch --user alice --only oom,limit_exceeded,exited
  proc_box watch --json > messages.json      # proc_box report 1234 messages.json reads it

Exit status:
  0    --count, --until or --for was reached, or the reader closed the output
  125  an option is invalid, or the broker or the collector cannot be used
`;

/** Messages that are not written yet; it bounds what a slow reader makes us keep. */
const PREFETCH = 500;

/** `proc_box watch`. Never rejects. @returns the exit status */
export async function runWatch(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const words = readVerb(input.argv.slice(2), WATCH);
    if (isSet(words, 'help')) return print(verbHelp(HEAD, OWN, TAIL));
    if (words.rest[0] !== undefined) {
      throw new SpecError(`${quote(words.rest[0])} is not an option; "proc_box watch --help" lists them`);
    }
    return ended(await start(input, words, log), log);
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

async function start(input: CtlInput, words: VerbWords<Own>, log: Logger): Promise<WatchEnd> {
  const { own } = words;
  const only = (own.get('only') ?? '').split(',').filter((kind) => kind !== '');
  const until = own.get('until');
  for (const kind of only) known('--only', kind, ['sample', 'event', ...EVENT_NAMES]);
  if (until !== undefined) known('--until', until, EVENT_NAMES);
  const feed = feedOf(input, words, log, {
    samples: only.length === 0 || only.includes('sample'),
    events: only.length === 0 || until !== undefined || only.some((kind) => kind !== 'sample'),
  });
  const look = lookOf(process.env, isSet(words, 'ascii'));
  return await watch({
    feed,
    filter: filterFrom(own),
    only: until === undefined || only.length === 0 ? only : [...only, until],
    json: isSet(words, 'json'),
    look: lookFor(look, isTerminal()),
    count: own.has('count') ? naming('--count', () => parseCount(own.get('count')!, 1, 1e12)) : undefined,
    until,
    forMs: own.has('for') ? naming('--for', () => parseDuration(own.get('for')!)) : undefined,
    onState: (state) =>
      state.up ? log.info(`watching ${state.at}`) : log.warn(`not connected: ${state.why}; trying again`),
    onLeftOut: (count) =>
      log.warn(
        `the reader of this output is too slow: the collector has left out ${count} message${count === 1 ? '' : 's'}`,
      ),
  });
}

/** @throws SpecError */
function feedOf(
  input: CtlInput,
  { own, forBox }: VerbWords<Own>,
  log: Logger,
  kinds: { readonly samples: boolean; readonly events: boolean },
): (handlers: FeedHandlers) => MessageFeed {
  const collector = collectorOf(own, input.files);
  const user = single(own, 'user');
  if (collector !== undefined) {
    const query = { user, job: single(own, 'job'), samples: `${kinds.samples}`, events: `${kinds.events}` };
    return (handlers) => new CollectorFeed({ ...handlers, collector, query, prefetch: PREFETCH });
  }
  const { feed, warnings } = brokerOf(input, forBox, { ...kinds, user });
  for (const warning of warnings) log.warn(warning);
  return (handlers) => new Feed({ ...handlers, ...feed, name: 'proc_box watch', prefetch: PREFETCH });
}

/** @throws SpecError */
function known(option: string, kind: string, names: readonly string[]): void {
  if (names.includes(kind)) return;
  throw new SpecError(
    `${option}: unknown kind ${quote(kind)}${didYouMean(kind, names) || `; expected one of ${names.join(', ')}`}`,
  );
}

function ended(end: WatchEnd, log: Logger): number {
  if (typeof end === 'string') return 0;
  log.error(`write to stdout: ${end.failed}: not everything was printed`);
  return EXIT.failed;
}
