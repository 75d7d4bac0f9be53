import { readFileSync, statSync } from 'node:fs';
import { processDirectory, userName } from 'cgroup-utils-native';
import { EnvironmentError, SpecError } from '../errors.js';
import type { Environment } from '../scheduler/identity.js';

/** The main process of a box to make, as /proc shows it. */
export interface MainProcess {
  readonly pid: number;
  /**
   * Start time in clock ticks after boot, field 22 of proc_pid_stat(5); tells it from a later process with the same
   * pid.
   */
  readonly startTicks: number;
  readonly uid: number;
  readonly gid: number;
  /** Name of the user that it runs as. */
  readonly user: string;
  /** Its own if we may read it, else the caller's. */
  readonly environment: Environment;
  /** It is a fork of slurmstepd that has yet to execute the task, so its memory and name are not those of the job. */
  readonly awaitExec: boolean;
}

/**
 * @param ours pids of the wrapper and its keeper
 * @param environment of the caller
 * @throws SpecError, EnvironmentError if this process cannot be boxed
 */
export function readMainProcess(pid: number, ours: readonly number[], environment: Environment): MainProcess {
  const stat = statOf(pid);
  if (stat === null || hasEnded(stat)) throw new SpecError(`--pid ${pid}: there is no such process`);
  if (pid === 1 || ours.includes(pid) || stat.kernelThread)
    throw new SpecError(`--pid ${pid}: ${stat.comm} is not a job: expected the main process of one`);
  const status = read(`/proc/${pid}/status`) ?? '';
  const [uid, gid] = [/^Uid:\s+(\d+)/m, /^Gid:\s+(\d+)/m].map((row) => Number(row.exec(status)?.[1] ?? Number.NaN)) as [
    number,
    number,
  ];
  const user = userName(uid);
  if (process.geteuid?.() !== 0 && uid !== process.geteuid?.())
    throw new EnvironmentError(`--pid ${pid}: it belongs to ${user}; only root may box processes of other users`);
  const own = readEnvironment(pid);
  const awaitExec = environment['SLURM_TASK_PID'] === String(pid) && stat.comm === 'slurmstepd';
  return {
    pid,
    startTicks: stat.startTicks,
    uid,
    gid,
    user,
    environment: awaitExec || own === null ? environment : own,
    awaitExec,
  };
}

/** The ancestors of `from` below `top`, nearest first; empty if `top` is not an ancestor. */
export function ancestorsBelow(top: number, from: number): number[] {
  const chain: number[] = [];
  for (let pid = statOf(from)?.ppid ?? 0; pid > 1; pid = statOf(pid)?.ppid ?? 0) {
    if (pid === top) return chain;
    chain.push(pid);
  }
  return [];
}

/** The words of its command line, or its name if they cannot be read. */
export function commandOf(pid: number): string[] {
  const words = (read(`${processDirectory(pid)}/cmdline`) ?? '').split('\0').slice(0, -1);
  return words.length > 0 ? words : [statOf(pid)?.comm ?? ''];
}

/** Whether its stdout is a file, whose offset can be watched from outside. */
export function stdoutModeOf(pid: number): 'file' | 'other' {
  try {
    return statSync(`${processDirectory(pid)}/fd/1`).isFile() ? 'file' : 'other';
  } catch {
    return 'other'; // closed, or we may not look
  }
}

interface Stat {
  readonly comm: string;
  readonly state: string;
  readonly threads: number;
  readonly ppid: number;
  readonly kernelThread: boolean;
  readonly startTicks: number;
}

const PF_KTHREAD = 0x00200000;

/** Reads proc_pid_stat(5). The name may hold any character, so the fields are counted from the last ')'. */
function statOf(pid: number): Stat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return {
    comm: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '',
    threads: Number(fields[17]),
    ppid: Number(fields[1]),
    kernelThread: (Number(fields[6]) & PF_KTHREAD) !== 0,
    startTicks: Number(fields[19]),
  };
}

/** If only the main thread has ended it is a zombie, but the process lives on in its other threads. */
function hasEnded({ state, threads }: Stat): boolean {
  return state === 'X' || (state === 'Z' && threads <= 1);
}

function readEnvironment(pid: number): Environment | null {
  const text = read(`${processDirectory(pid)}/environ`);
  if (text === null) return null;
  const entries = text.split('\0').filter((entry) => entry.includes('='));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // the process has ended, or we may not look
  }
}
