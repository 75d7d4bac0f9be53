import { isatty, WriteStream } from 'node:tty';
import { randomHex } from 'cgroup-utils-native';
import { EXIT } from '../../box/outcome.js';
import { describeError, SpecError } from '../../errors.js';
import { createLogger, type Logger } from '../../log.js';
import type { Collector } from '../../observe/source/collector.js';
import { fits } from '../../observe/source/filter.js';
import { canMove, lookOf } from '../../observe/terminal/look.js';
import { BrokerSource } from '../../observe/top/broker-source.js';
import { CollectorSource } from '../../observe/top/collector-source.js';
import { tableText } from '../../observe/top/once.js';
import type { TopRow } from '../../observe/top/row.js';
import { isSortKey, SORT_KEYS, type SortKey, sorted } from '../../observe/top/sort.js';
import { showTop, type TopOptions } from '../../observe/top/top.js';
import type { Action } from '../../observe/top/view.js';
import { parseInterval } from '../../options/intervals.js';
import { naming } from '../../options/resolve.js';
import { parseDuration } from '../../options/units.js';
import { isSet, readVerb, type Verb, type VerbOption, type VerbWords } from '../../options/verb-words.js';
import { didYouMean, quote } from '../../options/words.js';
import { print } from '../../print.js';
import { printableJson } from '../../text.js';
import type { CtlInput } from '../ctl/options.js';
import { sendCommand } from '../ctl/send.js';
import { brokerOf, commandFor, OBSERVED } from './broker.js';
import { COLLECTOR, collectorOf, commandThrough } from './collector.js';
import { commandOver, targetOf } from './command.js';
import { FILTERS, filterFrom, single } from './filters.js';
import { verbHelp } from './help.js';

const OWN = {
  ...FILTERS,
  ...COLLECTOR,
  sort: { placeholder: 'key', default: 'cpu', help: `order of the table: ${SORT_KEYS.join(', ')}` },
  reverse: { help: 'sort the smallest first' },
  interval: { placeholder: 'duration', default: '2s', help: 'time between two updates of the screen' },
  once: { help: 'print the table once, and exit; the default if stdout is not a terminal' },
  json: { help: 'print one JSON array, once; docs/observe.md describes its fields' },
  wait: { placeholder: 'duration', default: '3s', help: 'how long to wait for answers from boxes' },
  'keep-ended': { placeholder: 'duration', default: '1m', help: 'how long a box that has ended stays in the table' },
  'sign-key': { placeholder: 'path', help: 'sign commands with this private key, as for proc_box ctl' },
  ascii: { help: 'print ASCII only; the default if the locale is not UTF-8' },
  help: { help: 'print this text' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;
type Own = keyof typeof OWN;

const TOP: Verb<Own> = { name: 'proc_box top', own: OWN, ofBox: OBSERVED, ends: 'with the words' };

const HEAD = `usage: proc_box top [options]

Shows all boxes that you may see, live, from what they publish to the broker. It first asks them for their state; without
the permission for that, each box shows up with its next sample. Keys sort, filter, suspend, resume and kill: h lists them.
`;
const TAIL = `
Exit status:
  0    you quit, or the table was printed
  125  an option is invalid, or the broker or the terminal cannot be used
`;

/** `proc_box top`. Never rejects. @returns the exit status */
export async function runTop(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const words = readVerb(input.argv.slice(2), TOP);
    if (isSet(words, 'help')) return print(verbHelp(HEAD, OWN, TAIL));
    if (words.rest[0] !== undefined) {
      throw new SpecError(`${quote(words.rest[0])} is not an option; "proc_box top --help" lists them`);
    }
    return await top(input, words, log);
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

async function top(input: CtlInput, words: VerbWords<Own>, log: Logger): Promise<number> {
  const { own } = words;
  const chosen = {
    sort: sortOf(own.get('sort') ?? OWN.sort.default),
    reversed: isSet(words, 'reverse'),
    filter: filterFrom(own),
    refreshMs: timeOf(own, 'interval', parseInterval),
    look: lookOf(process.env, isSet(words, 'ascii')),
    json: isSet(words, 'json'),
    once: isSet(words, 'once') || isSet(words, 'json') || !isatty(1),
  };
  if (!chosen.once && !canMove(process.env)) {
    throw new SpecError('TERM does not name a terminal that can show a screen; use --once to print the table once');
  }
  const collector = collectorOf(own, input.files);
  return collector === undefined ? await fromBroker(input, words, chosen, log) : await fromCollector(collector, chosen);
}

interface Chosen extends Pick<TopOptions, 'sort' | 'reversed' | 'filter' | 'refreshMs' | 'look'> {
  readonly json: boolean;
  readonly once: boolean;
}

async function fromBroker(input: CtlInput, words: VerbWords<Own>, chosen: Chosen, log: Logger): Promise<number> {
  const { own, forBox } = words;
  const user = single(own, 'user');
  const host = single(own, 'host');
  const address = user !== undefined ? { user } : host !== undefined ? { host } : {};
  const wait = own.get('wait') ?? OWN.wait.default;
  const key = own.has('sign-key') ? { 'sign-key': own.get('sign-key')! } : {};
  const requests = commandFor(input, forBox, 'status', address, { wait, ...key });
  const { feed, warnings } = brokerOf(input, forBox, { samples: true, events: true, user });
  for (const warning of warnings) log.warn(warning);
  await using source = new BrokerSource({
    feed,
    keepEndedMs: timeOf(own, 'keep-ended', parseDuration),
    ask: (onAnswer) => sendCommand(requests, `top-${randomHex(8)}`, onAnswer),
  });
  await source.open();
  const asked = source.askAll();
  if (chosen.once) {
    await asked;
    return printRows(source.rows(), chosen);
  }
  const act = (action: Action, row: TopRow, wholeJob: boolean) => {
    const target = targetOf(row, wholeJob);
    return commandOver(
      () => commandFor(input, forBox, action, target, { wait: wholeJob ? wait : '10s', ...key }),
      wholeJob,
    );
  };
  await showTop({ ...chosen, source, act });
  return 0;
}

async function fromCollector(collector: Collector, chosen: Chosen): Promise<number> {
  const { sort, reversed, filter, refreshMs } = chosen;
  const source = new CollectorSource(collector, refreshMs, { sort, reversed, filters: [filter] });
  if (chosen.once) return printRows(await source.all(), chosen);
  try {
    await source.open();
    const act = (action: Action, row: TopRow, wholeJob: boolean) => commandThrough(collector, action, row, wholeJob);
    await showTop({ ...chosen, source, act });
    return 0;
  } finally {
    source.close();
  }
}

function printRows(all: readonly TopRow[], { filter, sort, reversed, json, look }: Chosen): number {
  const rows = sorted(
    all.filter((row) => fits(filter, row)),
    sort,
    reversed,
  );
  return print(json ? `${printableJson(rows)}\n` : tableText(rows, widthOf(), look));
}

function sortOf(text: string): SortKey {
  if (isSortKey(text)) return text;
  throw new SpecError(
    `--sort: unknown key ${quote(text)}${didYouMean(text, SORT_KEYS) || `; expected one of ${SORT_KEYS.join(', ')}`}`,
  );
}

function timeOf(own: VerbWords<Own>['own'], name: 'interval' | 'keep-ended', parse: (text: string) => number): number {
  return naming(`--${name}`, () => parse(own.get(name) ?? OWN[name].default));
}

/** Columns of stdout; undefined where it is no terminal. */
function widthOf(): number | undefined {
  if (!isatty(1)) return undefined;
  const { columns } = new WriteStream(1);
  return columns > 0 ? columns : 80;
}
