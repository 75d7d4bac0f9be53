import {
  access,
  type Keeper,
  readText,
  sampleTree,
  type TreeSample,
  type TreeSampleOptions,
  userName,
} from 'cgroup-utils-native';
import type { Adoption } from '../cgroup/types.js';
import type { Environment } from '../scheduler/identity.js';

/** Whose box it is: a job that the keeper launches, or a process that runs already. */
export interface Subject {
  /** Says which job of which scheduler it is. */
  readonly environment: Environment;
  readonly user: string;
  /** The processes of the box, now. */
  readonly walk: (options: TreeSampleOptions) => TreeSample;
  /** Why they cannot be looked at; null where they can. */
  readonly blind: string | null;
  /** The wrapper, its keeper, and who waits for them or came with them: not of the box. */
  readonly ourPids: readonly number[];
  /** How the names of the job's files are meant. */
  readonly files: () => OwnFiles;
  /** Null for a job of the keeper's own. */
  readonly adopted: Adopted | null;
}

export interface OwnFiles {
  /** What `~/` stands for; undefined where it is not known. */
  readonly home: string | undefined;
  /** Where relative names begin. */
  readonly folder: string;
  /** As whom files are opened; null: as this process. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

export interface Adopted extends Adoption {
  /** In the background: signals are for the job, not for us. */
  readonly detached: boolean;
}

/** The job that this keeper launches. */
export function launchedJob(keeper: Keeper): Subject {
  const { pid: keeperPid } = keeper;
  return {
    environment: process.env,
    get user() {
      return userName();
    },
    walk: (options) => sampleTree(keeperPid, options),
    // Under hidepid=2 a process that is not dumpable, as the keeper is, does not exist for others of its user.
    blind:
      access(`/proc/${keeperPid}/stat`) === null
        ? null
        : `/proc hides the keeper (mounted with hidepid): "proc_box check"`,
    files: () => ({ home: process.env['HOME'], folder: process.cwd(), owner: null }),
    ourPids: [...ourProcesses(keeper), ...(process.env['PBS_JOBID'] === undefined ? [] : children())],
    adopted: null,
  };
}

/** The front end, which is our parent and the process that a scheduler knows, this process, and the keeper's. */
export function ourProcesses(keeper: Keeper): number[] {
  return [process.ppid, process.pid, ...keeper.pids];
}

/** MoM's pbs_demux is a child of the front end that we have not started: where we make room in a group it comes along. */
function children(): number[] {
  const pids = readText(`/proc/${process.ppid}/task/${process.ppid}/children`) ?? '';
  return pids.split(' ').filter(Boolean).map(Number);
}
