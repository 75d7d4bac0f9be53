import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { randomHex } from 'cgroup-utils-native';
import { EXIT } from '../../box/outcome.js';
import { fsPath } from '../../bytes.js';
import { describeError, SpecError } from '../../errors.js';
import { createLogger, type Logger } from '../../log.js';
import { amountAt, listAt, objectAt } from '../../observe/model/fields.js';
import { factsOfSample } from '../../observe/report/facts.js';
import { factsOfRow } from '../../observe/report/facts-of-row.js';
import { readInto } from '../../observe/report/files.js';
import { reportOf } from '../../observe/report/job-report.js';
import { reportJson } from '../../observe/report/json.js';
import { KnownBoxes } from '../../observe/report/known-boxes.js';
import { type By, reportText } from '../../observe/report/text.js';
import {
  DEFAULT_THRESHOLDS,
  parseThresholds,
  THRESHOLDS,
  type Thresholds,
  thresholdsOf,
} from '../../observe/report/thresholds.js';
import { readAnswer } from '../../observe/source/answer.js';
import type { Collector, CollectorError } from '../../observe/source/collector.js';
import { lookFor, lookOf } from '../../observe/terminal/look.js';
import { isSet, readVerb, type Verb, type VerbOption, type VerbWords } from '../../options/verb-words.js';
import { quote } from '../../options/words.js';
import { print } from '../../print.js';
import { printableJson } from '../../text.js';
import type { CtlInput } from '../ctl/options.js';
import { commandFor, OBSERVED } from './broker.js';
import { COLLECTOR, collectorOf } from './collector.js';
import { verbHelp } from './help.js';

const BY = ['node', 'job', 'step', 'box'] as const;
/** A site's own thresholds, if there are any. */
const SITE_NOTES = '/etc/proc_box/report.yaml';

const OWN = {
  ...COLLECTOR,
  by: { placeholder: 'what', help: 'rows of the table: node, job (tasks of an array), step or box' },
  all: { help: 'every row of the table, however many there are' },
  notes: {
    placeholder: 'list',
    help: 'when to add remarks: memory-unused=30,least-time=5m (docs/observe.md lists them)',
  },
  'notes-file': { placeholder: 'path', help: `the same from a YAML file (default ${SITE_NOTES}, if it exists)` },
  json: { help: 'print one JSON array with an object for each job; docs/observe.md describes its fields' },
  wait: { placeholder: 'duration', default: '2s', help: 'how long to wait for answers from boxes' },
  'sign-key': {
    placeholder: 'path',
    help: 'sign the status command to the boxes with this private key, as for proc_box ctl',
  },
  ascii: { help: 'print ASCII only; the default if the locale is not UTF-8' },
  help: { help: 'print this text' },
} as const satisfies Readonly<Record<string, VerbOption & { readonly help: string }>>;
type Own = keyof typeof OWN;

const REPORT: Verb<Own> = { name: 'proc_box report', own: OWN, ofBox: OBSERVED, ends: 'with the words' };

const HEAD = `usage: proc_box report --collector <address> <job>         from a collector
       proc_box report [options] <job>                     from the boxes of a running job
       proc_box report [options] [<job>] <file or folder>...  from report files or "proc_box watch --json"

Compares what a job used with what it requested, and suggests what to request next time. 1234 is
also the whole array 1234.
`;
const TAIL = `
Exit status:
  0    a report was printed
  2    nothing is known about the job
  125  an option is invalid, or a file or the broker cannot be used
`;
const NOTHING_FOUND = 2;
/** HTTP status. */
const NOT_FOUND = 404;
const BOXES_MAX = 1_000_000;

/** `proc_box report`. Never rejects. @returns the exit status */
export async function runReport(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const words = readVerb(input.argv.slice(2), REPORT);
    if (isSet(words, 'help')) return print(verbHelp(HEAD, OWN, TAIL));
    return await report(input, words, log);
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

async function report(input: CtlInput, words: VerbWords<Own>, log: Logger): Promise<number> {
  const { own } = words;
  const by = own.get('by') as By | undefined;
  if (by !== undefined && !BY.includes(by)) throw new SpecError(`--by: ${quote(by)}: expected one of ${BY.join(', ')}`);
  const thresholds = thresholdsFor(input, own);
  const { job, paths } = split(words.rest);
  const boxes = new KnownBoxes();
  for (const path of paths) await readInto(boxes, path);
  const collector = collectorOf(own, input.files);
  if (collector !== undefined) await askCollector(collector, job, boxes);
  else if (paths.length === 0) await askBoxes(input, words, job!, boxes);
  if (boxes.unreadable > 0) log.warn(`ignored ${boxes.unreadable} texts that are not messages from a box`);
  const reports = boxes.jobs(job).map((found) => reportOf(found.job, found.boxes, thresholds));
  if (reports.length === 0) {
    log.error(nothingFound(job, paths, boxes.count, collector !== undefined));
    return NOTHING_FOUND;
  }
  if (isSet(words, 'json')) return print(`${printableJson(reports.map(reportJson))}\n`);
  const look = lookOf(process.env, isSet(words, 'ascii'));
  const shown = lookFor(look, isatty(1));
  return print(reports.map((one) => reportText(one, { look: shown, by, all: isSet(words, 'all') })).join('\n'));
}

/** A word that names something on disk is a file; `./1234` is one even if a job has that name. */
function split(rest: readonly string[]): { readonly job: string | undefined; readonly paths: readonly string[] } {
  const isFile = (word: string) => word.includes('/') || existsSync(fsPath(word));
  const paths = rest.filter(isFile);
  const [job, more] = rest.filter((word) => !isFile(word));
  if (more !== undefined) {
    throw new SpecError(
      `expected one job: found ${quote(job!)} and ${quote(more)}, and there is no file with these names`,
    );
  }
  if (job === undefined && paths.length === 0)
    throw new SpecError('no job given; usage: proc_box report [options] <job>');
  return { job, paths };
}

function thresholdsFor(input: CtlInput, own: VerbWords<Own>['own']): Thresholds {
  const named = own.get('notes-file');
  const path = named ?? SITE_NOTES;
  const file = input.files.read(path);
  if (typeof file === 'string' && (named !== undefined || file !== 'ENOENT'))
    throw new SpecError(`--notes-file: read ${quote(path)}: ${file}`);
  const site = typeof file === 'string' ? DEFAULT_THRESHOLDS : thresholdsOf(path, file.text, input.loadYaml);
  return parseThresholds(own.get('notes') ?? '', site, '--notes');
}

/** The end reports that a collector keeps, and of the boxes that run what their rows and limits say. */
async function askCollector(collector: Collector, job: string | undefined, boxes: KnownBoxes): Promise<void> {
  if (job === undefined) throw new SpecError('--collector: give the job');
  const path = `/jobs/${encodeURIComponent(job)}`;
  try {
    const [reports, view] = await Promise.all([collector.get(`${path}/reports`), collector.get(path)]);
    for (const report of listAt(reports, BOXES_MAX)) boxes.value(report);
    for (const row of listAt(objectAt(view)['boxes'], BOXES_MAX)) {
      const facts = factsOfRow(row);
      if (facts !== null) boxes.facts(facts);
    }
  } catch (error) {
    if ((error as Partial<CollectorError>).status !== NOT_FOUND) throw error;
  }
}

/** Without a collector and without files, only a job that runs can be asked. */
async function askBoxes(
  input: CtlInput,
  { own, forBox }: VerbWords<Own>,
  job: string,
  boxes: KnownBoxes,
): Promise<void> {
  const given = {
    wait: own.get('wait') ?? OWN.wait.default,
    ...(own.has('sign-key') && { 'sign-key': own.get('sign-key')! }),
  };
  const requests = commandFor(input, forBox, 'status', { job }, given);
  if (requests[0]!.uris.length === 0) {
    throw new SpecError(
      'report asks the boxes of a job over a broker, but --uri is "none", or its file is missing: give the URI, or files',
    );
  }
  const { sendCommand } = await import('../ctl/send.js');
  await sendCommand(requests, `report-${randomHex(8)}`, (text) => {
    const answer = readAnswer(text);
    const sample = answer?.sample;
    if (sample == null) return answer !== undefined;
    boxes.facts(factsOfSample(sample, amountAt(objectAt(answer!.result)['elapsed_ms'])));
    return true;
  });
}

function nothingFound(job: string | undefined, paths: readonly string[], count: number, collector: boolean): string {
  if (job === undefined) return 'the files contain neither an end report nor a sample';
  if (paths.length > 0)
    return `the files contain nothing about job ${quote(job)}; they have messages from ${count} boxes`;
  if (collector) return `the collector knows nothing about job ${quote(job)}, or you may not see it`;
  return `no box of job ${quote(job)} has answered: if the job has ended, give its report files or saved messages, or ask a collector with --collector`;
}

/** For docs/observe.md and its test. */
export const NOTE_NAMES = Object.keys(THRESHOLDS);
