/** What the page offers to do to boxes: the question before it, and what it means. */
import { counted } from '../../../options/amounts.js';
import type { BoxRow } from '../../model/api.js';

export interface Action {
  readonly command: string;
  /** On the button. */
  readonly label: string;
  /** Of what happens, in the question. */
  readonly means: string;
  /** Cannot be undone. */
  readonly ends?: boolean;
  /** What has to be typed in, in the command's own words. */
  readonly asks?: {
    readonly label: string;
    readonly hint: string;
    readonly pattern: string;
    readonly before: readonly string[];
  };
}

/** A duration in Go's syntax, with or without a sign: `+30m` adds to what there is. */
const DURATION = '\\+?(\\d+(\\.\\d+)?(ms|s|m|h))+|0';
const SIZE = '\\d+(\\.\\d+)?\\s*([KMGT](i?B)?)?';

export const ACTIONS: readonly Action[] = [
  {
    command: 'suspend',
    label: 'Suspend',
    means:
      'Every process stops running and keeps its memory. The wall clock timer of the box stops; the scheduler’s continues.',
  },
  { command: 'resume', label: 'Resume', means: 'The processes and the timer continue.' },
  {
    command: 'set_limit',
    label: 'Time limit',
    means: 'Changes how long the box may run. The scheduler’s own limit stays as it is.',
    asks: { label: 'New time limit', hint: '2h, 90m, or +30m to add to it', pattern: DURATION, before: ['timeout'] },
  },
  {
    command: 'set_limit',
    label: 'Memory limit',
    means: 'Changes how much memory the box may use. If it uses more than that now, the kernel may end its processes.',
    asks: { label: 'New memory limit', hint: '512M, 4G, 1.5GiB', pattern: SIZE, before: ['memory'] },
  },
  {
    command: 'stop',
    label: 'Stop',
    means: 'The job gets its stop signal and time to finish. What is left after the grace period is killed.',
    ends: true,
  },
  {
    command: 'kill',
    label: 'Kill',
    means: 'Every process is killed at once. Data that has not been written is lost.',
    ends: true,
  },
];

/** `Kill 3 boxes of job 1234?` @param target such as `of job 1234`; empty for a single box that the question names itself */
export function question({ label, asks }: Action, boxes: number, target: string): string {
  const what = asks === undefined ? label : `Change the ${asks.before[0] === 'timeout' ? 'time' : 'memory'} limit of`;
  return `${what} ${boxes === 1 ? 'the box' : counted(boxes, 'box', 'boxes')} ${target}?`;
}

/** The boxes of a command, as the API names them. */
export interface CommandTarget {
  readonly box?: string;
  readonly job?: string;
  readonly cluster?: string;
  readonly user?: string;
}

/**
 * @param rows boxes that are meant: of one job, or of the tasks of an array, which are jobs of their own
 * @param single whether only the first one is
 */
export function commandTargets(
  rows: readonly Pick<BoxRow, 'box' | 'job' | 'cluster' | 'user'>[],
  single: boolean,
): CommandTarget[] {
  if (single) return rows.slice(0, 1).map(({ box }) => ({ box }));
  const jobs = new Map<string, CommandTarget>();
  for (const { job, cluster, user } of rows)
    jobs.set(JSON.stringify([job, cluster, user]), { job, user, ...(cluster !== null && { cluster }) });
  return [...jobs.values()];
}
