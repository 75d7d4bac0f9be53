import { type Keeper, readText, userName } from 'cgroup-utils-native';
import type { Adoption } from '../cgroup/types.js';
import type { JobIdentity } from '../options/spec.js';
import type { Environment } from '../scheduler/identity.js';

/** What is in the box: a job that the keeper launches, or a process that was already running. */
export interface Subject {
  /** Identifies the job and its scheduler. */
  readonly environment: Environment;
  readonly user: string;
  /** With an agent: the parts of the identity that are verified. */
  readonly verified?: (identity: JobIdentity) => JobIdentity['verified'];
  /** Pid of the front end, the process that the scheduler knows. */
  readonly frontPid: number;
  /** Pids of the wrapper, its keeper, and processes that wait for them or came with them: these are not in the box. */
  readonly ourPids: readonly number[];
  /** How to resolve and open the job's files. */
  readonly files: () => OwnFiles;
  /**
   * Writes the report file with the rights of the job's user. @default this process writes it
   * @returns the errno's name if that fails
   */
  readonly writeReport?: (path: string, placeholders: readonly string[], text: string) => Promise<string | undefined>;
  /** Null for a job that the keeper launches. */
  readonly adopted: Adopted | null;
}

export interface OwnFiles {
  /** What `~/` stands for; undefined if unknown. */
  readonly home: string | undefined;
  /** The folder that relative names start from. */
  readonly folder: string;
  /** The user to open files as; null for the user of this process. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

export interface Adopted extends Adoption {
  /** Supervised in the background, where signals are meant for the job and not for us. */
  readonly detached: boolean;
}

/** The job that this keeper launches. */
export function launchedJob(keeper: Keeper): Subject {
  return {
    environment: process.env,
    get user() {
      return userName();
    },
    frontPid: process.ppid,
    files: () => ({ home: process.env['HOME'], folder: process.cwd(), owner: null }),
    ourPids: [...ourProcesses(keeper), ...(process.env['PBS_JOBID'] === undefined ? [] : children())],
    adopted: null,
  };
}

/**
 * Pids of the front end (our parent, and the process that a scheduler knows), this process, the keeper and the guard.
 */
export function ourProcesses(keeper: Keeper): number[] {
  return [process.ppid, process.pid, ...keeper.pids];
}

/**
 * Children of the front end that it did not start, such as MoM's pbs_demux. When we move out of a group, they must come
 * along.
 */
function children(): number[] {
  const pids = readText(`/proc/${process.ppid}/task/${process.ppid}/children`) ?? '';
  return pids.split(' ').filter(Boolean).map(Number);
}
