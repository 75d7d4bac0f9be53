import type { By } from '../model/event.js';
import type { LimitStatus } from '../model/sample.js';
import { amount, bytes, counted, duration, limitAmount } from '../options/amounts.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec } from '../options/spec.js';
import { askedBy, toBy } from '../stats/audit.js';
import type { Lifecycle } from './lifecycle.js';
import type { Limits } from './limits.js';
import type { Outcome } from './outcome.js';

/** What the box has seen, beside its outcome, that explains its end to people. */
export interface Circumstances {
  readonly limits: Limits;
  readonly origins: BoxSpec['limitOrigins'];
  readonly lastKill: Lifecycle['lastKill'];
  /** Who has set a limit on the running box, by the limit's name. */
  readonly limitSetBy: ReadonlyMap<string, By>;
  /** Who has suspended the box, and for how long it was suspended; null where no command has. */
  readonly suspended: { readonly by: By; readonly ms: number } | null;
  /** What was used of the limit that ended the job, in its unit; null where that is not known. */
  readonly used: number | null;
  /** What the kernel has killed for memory. */
  readonly oom: { readonly kills: number; readonly peakBytes: number };
  /** The signal of --warn-signal, where it was sent. */
  readonly warnSignal: number | null;
}

/**
 * Why the job ended, and who asked for it, in one line for people: stderr has it before `Task elapsed time`, and `exited`
 * carries it.
 *
 * @returns null where there is nothing to tell beside the job's own exit status
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
      return `limit of ${limitText('stdoutlimit', seen)} for stdout reached`;
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
      return 'the process has ended; the kernel does not tell how';
    case 'failed':
      return 'the keeper of proc_box has died; how the job ended is not known';
  }
}

/** `out of memory: the kernel killed 1 process (limit 60 MiB, peak 60 MiB)` */
export function outOfMemoryText(kills: number, limit: LimitStatus | null, peakBytes: number): string {
  const held = limit === null ? 'no limit of this box: the host or a group around it had no more' : limitAmount(limit);
  const figures = limit === null ? held : `limit ${held}`;
  return `out of memory: the kernel killed ${counted(kills, 'process', 'processes')} (${figures}, peak ${bytes(peakBytes)})`;
}

/** The memory limit where the kernel holds it: what the watchdog holds makes no OOM killer act. */
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

/** What a signal usually means where nobody has asked for it. */
const USUAL: Readonly<Record<string, string>> = {
  ABRT: 'it aborted itself',
  BUS: 'a bus error',
  FPE: 'an arithmetic error',
  ILL: 'an illegal instruction',
  KILL: 'proc_box did not send it: somebody on this host did, or the kernel',
  PIPE: 'nobody reads the pipe that it wrote to',
  SEGV: 'a segmentation fault',
  SYS: 'a system call that is forbidden to it',
  TRAP: 'a breakpoint or trap',
  XCPU: 'a limit of CPU time that proc_box has not set',
};

function ownSignal({ signal, coreDumped }: Outcome, seen: Circumstances): string {
  const name = signalName(signal ?? 0);
  const fileSize = seen.limits.get('fsize');
  const why =
    signal === seen.warnSignal
      ? 'the signal of --warn-signal, which it did not handle'
      : name === 'XFSZ' && fileSize !== undefined
        ? `the limit of ${limitText('fsize', seen)} for a file`
        : (USUAL[name] ?? 'proc_box did not send it');
  return `the job died of SIG${name}${coreDumped ? ', core dumped' : ''}: ${why}`;
}

function cpuLimit(seen: Circumstances): string {
  const box = seen.limits.has('cpu-time') && seen.used !== null;
  return box
    ? `CPU time limit of ${limitText('cpu-time', seen)} reached`
    : `CPU time limit of ${limitText('cpu', seen)} for a process reached`;
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
