import { type KeeperEvent, userName } from 'cgroup-utils-native';
import { EnvironmentError, SpecError } from '../errors.js';
import type { Environment } from '../scheduler/identity.js';

/** What the keeper shows of the process to adopt: texts of /proc. An agent of another user may not read them itself. */
export type ShownProcess = Extract<KeeperEvent, { type: 'process' }>;

/** The main process of a box to make. */
export interface MainProcess {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Name of the user that it runs as. */
  readonly user: string;
  /** Its own if the keeper may read it, else the caller's. */
  readonly environment: Environment;
  /** It is a fork of slurmstepd that has yet to execute the task, so its memory and name are not those of the job. */
  readonly awaitExec: boolean;
}

export interface Asker {
  /** The value of `--pid`. */
  readonly pid: number;
  /** User of the keeper. */
  readonly uid: number;
  /** Pids of the wrapper and its keeper. */
  readonly ours: readonly number[];
  readonly environment: Environment;
}

/** @throws SpecError, EnvironmentError if this process cannot be boxed */
export function readMainProcess(shown: ShownProcess, { pid, uid: asker, ours, environment }: Asker): MainProcess {
  const stat = parseStat(shown.stat);
  if (shown.pid !== pid || stat === null || hasEnded(stat))
    throw new SpecError(`--pid ${pid}: there is no such process`);
  if (pid === 1 || ours.includes(pid) || stat.kernelThread)
    throw new SpecError(`--pid ${pid}: ${stat.comm} is not a job: expected the main process of one`);
  const [uid, gid] = [/^Uid:\s+(\d+)/m, /^Gid:\s+(\d+)/m].map((row) =>
    Number(row.exec(shown.status)?.[1] ?? Number.NaN),
  ) as [number, number];
  const user = userName(uid);
  if (asker !== 0 && uid !== asker)
    throw new EnvironmentError(`--pid ${pid}: it belongs to ${user}; only root may box processes of other users`);
  const awaitExec = environment['SLURM_TASK_PID'] === String(pid) && stat.comm === 'slurmstepd';
  const own = shown.environment === null ? null : variables(shown.environment);
  return { pid, uid, gid, user, environment: awaitExec || own === null ? environment : own, awaitExec };
}

/** The first word of its command line, or its name if that cannot be read. */
export function commandOf({ command, stat }: ShownProcess): string {
  return command || (parseStat(stat)?.comm ?? '');
}

/** @param entries `NAME=value` */
export function variables(entries: readonly string[]): Readonly<Record<string, string>> {
  const pairs = entries.map((entry) => [entry, entry.indexOf('=')] as const);
  return Object.fromEntries(
    pairs.filter(([, at]) => at > 0).map(([entry, at]) => [entry.slice(0, at), entry.slice(at + 1)]),
  );
}

interface Stat {
  readonly comm: string;
  readonly state: string;
  readonly threads: number;
  readonly kernelThread: boolean;
}

const PF_KTHREAD = 0x00200000;

/** Parses proc_pid_stat(5). The name may hold any character, so the fields are counted from the last ')'. */
function parseStat(text: string): Stat | null {
  const end = text.lastIndexOf(')');
  if (end < 0) return null;
  const fields = text.slice(end + 2).split(' ');
  return {
    comm: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '',
    threads: Number(fields[17]),
    kernelThread: (Number(fields[6]) & PF_KTHREAD) !== 0,
  };
}

/** If only the main thread has ended it is a zombie, but the process lives on in its other threads. */
function hasEnded({ state, threads }: Stat): boolean {
  return state === 'X' || (state === 'Z' && threads <= 1);
}
