import { readFileSync, statSync } from 'node:fs';
import { processDirectory, userName } from 'cgroup-utils-native';
import { EnvironmentError, SpecError } from '../errors.js';
import type { Environment } from '../scheduler/identity.js';

/** A process that is to be adopted, as /proc shows it. */
export interface MainProcess {
  readonly pid: number;
  /** Field 22 of proc_pid_stat(5), clock ticks after boot: tells it from a later process with the same number. */
  readonly startTicks: number;
  readonly uid: number;
  readonly gid: number;
  /** Name of the user that it runs as. */
  readonly user: string;
  /** Its own where that may be read, else ours. */
  readonly environment: Environment;
  /** It is a fork of slurmstepd that will become the task: its memory and name are not the job's yet. */
  readonly awaitExec: boolean;
}

/**
 * @param ours the wrapper and its keeper
 * @throws SpecError, EnvironmentError where it is none that can be boxed
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
    throw new EnvironmentError(`--pid ${pid}: it belongs to ${user}; only root may box processes of others`);
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

/** Ancestors of `from` below `top`; empty where `top` is none of them. Nearest first. */
export function ancestorsBelow(top: number, from: number): number[] {
  const chain: number[] = [];
  for (let pid = statOf(from)?.ppid ?? 0; pid > 1; pid = statOf(pid)?.ppid ?? 0) {
    if (pid === top) return chain;
    chain.push(pid);
  }
  return [];
}

/** Words of its command line; its name where it hides them. */
export function commandOf(pid: number): string[] {
  const words = (read(`${processDirectory(pid)}/cmdline`) ?? '').split('\0').slice(0, -1);
  return words.length > 0 ? words : [statOf(pid)?.comm ?? ''];
}

/** Whether its output can be watched without being in between. */
export function stdoutModeOf(pid: number): 'file' | 'other' {
  try {
    return statSync(`${processDirectory(pid)}/fd/1`).isFile() ? 'file' : 'other';
  } catch {
    return 'other'; // closed, or not for us to see
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

/** proc_pid_stat(5). The name may hold anything, so the fields are counted from the last ')'. */
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

/** A main thread that has ended before the others is a zombie, and counts: the process lives. */
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
    return null; // it has ended, or is not for us to see
  }
}
