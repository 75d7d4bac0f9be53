import type { By } from '../model/event.js';
import type { LimitStatus } from '../model/sample.js';
import { amount, bytes, counted, duration, limitAmount } from '../options/amounts.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec } from '../options/spec.js';
import { askedBy, toBy } from '../stats/audit.js';
import type { Lifecycle } from './lifecycle.js';
import type { Limits } from './limits.js';
import type { Outcome } from './outcome.js';

/** Facts beside the outcome that explain the end of the box to people. */
export interface Circumstances {
  readonly limits: Limits;
  readonly origins: BoxSpec['limitOrigins'];
  readonly lastKill: Lifecycle['lastKill'];
  /** Who set a limit of the running box, by the limit's name. */
  readonly limitSetBy: ReadonlyMap<string, By>;
  /** Who suspended the box, and for how long; null if no command did. */
  readonly suspended: { readonly by: By; readonly ms: number } | null;
  /** Usage of the limit that ended the job, in its unit; null if unknown. */
  readonly used: number | null;
  /** What the OOM killer did. */
  readonly oom: { readonly kills: number; readonly peakBytes: number };
  /** The signal of --warn-signal, if it was sent. */
  readonly warnSignal: number | null;
}

/**
 * Explains to people in one line why the job ended and who asked for it. stderr shows the line before `Task elapsed time`,
 * and the event `exited` carries it.
 *
 * @returns null if the job's own exit status says everything
 */
export function whyEnded(outcome: Outcome, seen: Circumstances): string | null {
  const { reason, by, code } = outcome;
  switch (reason) {
    case 'exited':
      return ownExit(code, seen);
    case 'signaled':
      return ownSignal(outcome, seen);
    case 'timeout':
      return `time limit of ${limitText('timeout', seen)} reached`;
    case 'stdoutlimit':
      return `stdout limit of ${limitText('stdoutlimit', seen)} reached`;
    case 'memory':
      return `memory limit of ${limitText('memory', seen)} passed${inUse('memory', seen)}`;
    case 'pids':
      return `limit of ${limitText('pids', seen)} for processes and threads passed${inUse('pids', seen)}`;
    case 'cpu':
      return cpuLimit(seen);
    case 'oom':
      return outOfMemory(seen);
    case 'stopped':
      return by === null ? 'the job was stopped' : `the job was stopped ${byWhom(toBy(by))}`;
    case 'killed':
      return `the job was killed${withSignal(outcome)}${by === null ? '' : ` ${byWhom(toBy(by))}`}`;
    case 'scheduler':
      return `the scheduler ended the job${by === null ? '' : `: proc_box got ${askedBy(toBy(by))}`}`;
    case 'ended':
      return 'the process has ended; how is unknown because proc_box is not its parent';
    case 'failed':
      return "proc_box's keeper has died; how the job ended is unknown";
  }
}

/** `out of memory: the kernel killed 1 process (limit 60 MiB, peak 60 MiB)` */
export function outOfMemoryText(kills: number, limit: LimitStatus | null, peakBytes: number): string {
  const held = limit === null ? 'not a limit of this box: the host or an enclosing group ran out' : limitAmount(limit);
  const figures = limit === null ? held : `limit ${held}`;
  return `out of memory: the kernel killed ${counted(kills, 'process', 'processes')} (${figures}, peak ${bytes(peakBytes)})`;
}

/** The memory limit if the kernel enforces it. The OOM killer does not act on a limit that the watchdog enforces. */
export function kernelsMemoryLimit(limits: Limits): LimitStatus | null {
  const memory = limits.get('memory');
  return memory?.enforcement === 'cgroup2' || memory?.enforcement === 'cgroup1' ? memory : null;
}

function outOfMemory(seen: Circumstances): string {
  const limit = kernelsMemoryLimit(seen.limits);
  const text = outOfMemoryText(Math.max(1, seen.oom.kills), limit, seen.oom.peakBytes);
  return limit === null ? text : `${text}; the limit came from ${origin('memory', limit, seen)}`;
}

function ownExit(code: number | null, { lastKill, suspended }: Circumstances): string | null {
  const exited = `the job exited with status ${code}`;
  if (lastKill !== null) {
    return `${exited}, after it got SIG${signalName(lastKill.signal)} ${byWhom(toBy(lastKill.by))}`;
  }
  if (suspended === null) return null;
  return `${exited}; it was suspended for ${duration(suspended.ms)} ${byWhom(suspended.by)}`;
}

/** What a signal usually means if nobody has asked proc_box to send it. */
const USUAL: Readonly<Record<string, string>> = {
  ABRT: 'it aborted itself',
  BUS: 'a bus error',
  FPE: 'an arithmetic error',
  ILL: 'an illegal instruction',
  KILL: 'proc_box did not send it; the kernel or somebody on this host did',
  PIPE: 'it wrote to a pipe that nobody reads',
  SEGV: 'a segmentation fault',
  SYS: 'a forbidden system call',
  TRAP: 'a breakpoint or trap',
  XCPU: 'a CPU time limit that proc_box did not set',
};

function ownSignal({ signal, coreDumped }: Outcome, seen: Circumstances): string {
  const name = signalName(signal ?? 0);
  const fileSize = seen.limits.get('fsize');
  const why =
    signal === seen.warnSignal
      ? 'the signal of --warn-signal, which it did not handle'
      : name === 'XFSZ' && fileSize !== undefined
        ? `the file size limit of ${limitText('fsize', seen)}`
        : (USUAL[name] ?? 'proc_box did not send it');
  return `the job died of SIG${name}${coreDumped ? ', core dumped' : ''}: ${why}`;
}

function cpuLimit(seen: Circumstances): string {
  const box = seen.limits.has('cpu-time') && seen.used !== null;
  return box
    ? `CPU time limit of ${limitText('cpu-time', seen)} reached`
    : `CPU time limit per process of ${limitText('cpu', seen)} reached`;
}

/** `10 min (default; --timeout changes it)` */
function limitText(name: string, seen: Circumstances): string {
  const limit = seen.limits.get(name);
  return limit === undefined ? 'unknown size' : `${amount(limit.value, limit.unit)} (${origin(name, limit, seen)})`;
}

function origin(name: string, { source }: LimitStatus, { origins, limitSetBy }: Circumstances): string {
  const by = limitSetBy.get(name);
  if (source === 'command') return by === undefined ? 'set_limit' : `set ${byWhom(by)}`;
  if (source === 'scheduler') return `a little before the scheduler ends the job; --${name} changes it`;
  if (source === 'default' || source === undefined) return `default; --${name} changes it`;
  return origins[name] ?? source;
}

function inUse(name: string, { used, limits }: Circumstances): string {
  const limit = limits.get(name);
  return used === null || limit === undefined ? '' : `: ${amount(used, limit.unit)} in use`;
}

function withSignal({ signal }: Outcome): string {
  return signal === null ? '' : ` with SIG${signalName(signal)}`;
}

function byWhom(by: By): string {
  return by.via === 'signal' ? `because proc_box got ${askedBy(by)}` : `by ${askedBy(by)}`;
}
