import { randomHex } from 'cgroup-utils-native';
import { EXIT } from '../box/outcome.js';
import { describeError, isBrokerError, isEnvironmentError, SpecError } from '../errors.js';
import { createLogger, type Logger } from '../log.js';
import { duration } from '../options/amounts.js';
import { isSet, readVerb } from '../options/verb-words.js';
import { quote } from '../options/words.js';
import { print } from '../print.js';
import { findSlurmJobs, findSlurmSteps, isSlurmJob, type SlurmJob, type SlurmStep } from '../scheduler/slurm-where.js';
import { printable, printableJson } from '../text.js';
import { parseAnswer } from './ctl/answer.js';
import { CTL, type CtlInput, type CtlRequest, type CtlWords, requestsFor } from './ctl/options.js';
import { sendCommand } from './ctl/send.js';

const HELP = `usage: proc_box where [options] <job>

Shows the hosts, processes and boxes of a job. It asks Slurm's tools (squeue; sstat, which answers only the job's owner
and root) and, over the broker, the job's boxes; with --uri none it asks only Slurm. The options are those of "proc_box
ctl": --uri, --wait (default 2s), --json, ...

Exit status:
  0    something of the job was found
  2    nothing was found
  125  an option is wrong
`;

const NOTHING_FOUND = 2;

/** A box's answer about itself. */
interface Found {
  readonly job: string;
  readonly host: string;
  readonly node: string | null;
  readonly step: string | null;
  readonly task: string | null;
  readonly box: string;
  readonly state: string;
  readonly pid: number;
  readonly user: string;
}

interface Where {
  readonly jobs: readonly SlurmJob[];
  readonly steps: readonly SlurmStep[];
  readonly boxes: readonly Found[];
}

/** `proc_box where`: never rejects. @returns the exit status */
export async function runWhere(input: CtlInput): Promise<number> {
  const log = createLogger('info');
  try {
    const given = input.argv.slice(2);
    const words = readVerb(given, WHERE);
    if (given.length === 0 || isSet(words, 'help')) return print(HELP);
    const job = jobOf(words);
    const requestsOf = (id: string) => {
      const own = new Map([['wait', '2s'] as const, ...words.own, ['job', id] as const]);
      return requestsFor(input, { own, forBox: words.forBox }, 'status').requests;
    };
    const { json, uris, waitMs } = requestsOf(job)[0]!;
    const { unlisted, ...where } = await look(job, requestsOf, log);
    const printed = print(json ? `${printableJson(where)}\n` : lines(where));
    if (printed !== 0) return printed;
    if (where.jobs.length + where.boxes.length > 0) return 0;
    const silent = uris.length === 0 ? 'no box was asked (--uri none)' : `no box answered within ${duration(waitMs)}`;
    log.error(`job ${quote(job)} was not found: ${unlisted}, and ${silent}`);
    return NOTHING_FOUND;
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

/** Takes the options of `proc_box ctl`. */
const WHERE = { ...CTL, name: 'proc_box where' };

/** @throws SpecError */
function jobOf({ rest }: CtlWords): string {
  const [job, ...more] = rest;
  const usage = 'usage: proc_box where [options] <job>';
  if (job === undefined) throw new SpecError(`no job given; ${usage}`);
  if (more.length > 0) throw new SpecError(`expected one job and nothing after it: found ${quote(more[0]!)}; ${usage}`);
  return job;
}

/**
 * Asks Slurm and the boxes. If one side fails, that is only a warning.
 * @returns also why Slurm does not list the job, for the case that nothing is found
 */
async function look(
  job: string,
  requestsOf: (id: string) => readonly CtlRequest[],
  log: Logger,
): Promise<Where & { readonly unlisted: string }> {
  let unlisted = isSlurmJob(job) ? 'squeue does not list it' : 'Slurm names jobs differently (1234, 1234_7, 1234+1)';
  const orNothing = async <V>(asked: Promise<V[]>): Promise<V[]> => {
    try {
      return await asked;
    } catch (error) {
      if (!(isEnvironmentError(error) || isBrokerError(error))) throw error;
      log.warn(error.message);
      return [];
    }
  };
  const jobs = await orNothing(
    findSlurmJobs(job).catch((error: Error) => {
      unlisted = 'squeue failed';
      throw error;
    }),
  );
  const started = jobs.filter(({ nodes }) => nodes !== '');
  const addresses = jobs.length === 0 ? [job] : started.map(({ address }) => address);
  const [steps, boxes] = await Promise.all([
    orNothing(findSlurmSteps(started)),
    Promise.all([...new Set(addresses)].map((address) => orNothing(askBoxes(requestsOf(address))))),
  ]);
  return { jobs, steps, boxes: boxes.flat().sort(byPlace), unlisted };
}

/** Asks the boxes for their status; with `--uri none` it asks none. */
async function askBoxes(requests: readonly CtlRequest[]): Promise<Found[]> {
  if (requests[0]!.uris.length === 0) return [];
  const messageId = `where-${randomHex(8)}`;
  const found = new Map<string, Found>();
  const onAnswer = (text: string) => {
    const answer = parseAnswer(text);
    if (answer === undefined || found.has(answer.box)) return false;
    const { identity = {}, state, pid } = (answer.result ?? {}) as Partial<Found> & { identity?: Partial<Found> };
    const { step = null, task = null, node = null, user = '' } = identity;
    const { job, host, box } = answer;
    found.set(box, { job, host, node, step, task, user, box, state: state ?? 'unknown', pid: Number(pid ?? 0) });
    return true;
  };
  await sendCommand(requests, messageId, onAnswer);
  return [...found.values()];
}

function byPlace(a: Found, b: Found): number {
  const key = ({ job, node, host, step, task }: Found) => [job, node ?? host, step ?? '', task ?? ''].join('\t');
  return key(a).localeCompare(key(b), 'en', { numeric: true });
}

function lines({ jobs, steps, boxes }: Where): string {
  const text = [
    ...jobs.map(({ job, user, state, reason, nodes }) => {
      const why = reason === 'None' ? '' : ` (${reason})`;
      return `job ${job}: ${state}${why}, user ${user}, nodes ${nodes || 'none'}`;
    }),
    ...steps.map(({ job, step, node, pids }) => `job ${job} step ${step} on ${node}: pids ${pids.join(' ') || 'none'}`),
    ...boxes.map(({ job, host, node, step, task, user, box, state, pid }) => {
      const place = node === null || node === host ? host : `${node} (${host})`;
      const rank = `${step === null ? '' : ` step ${step}`}${task === null ? '' : ` task ${task}`}`;
      return `job ${job}${rank} on ${place}: box ${box}, ${state}, pid ${pid}, user ${user}`;
    }),
  ];
  return text.map((line) => `${printable(line)}\n`).join('');
}
