/** The events of a keeper. native/README.md describes the protocol. */
import type { SignalDelivery } from './own-process.js';

/** Usage of the processes that the keeper itself has reaped, and bytes of stdout so far. */
export interface KeeperUsage {
  /** CPU time of reaped processes and their reaped descendants, getrusage(2) RUSAGE_CHILDREN. */
  readonly userUsec: number;
  readonly systemUsec: number;
  /** Largest resident set of one reaped process, bytes. */
  readonly maxRssBytes: number;
  /** proc_pid_io(5) of reaped processes: syscr, syscw, read_bytes, write_bytes. */
  readonly readCount: number;
  readonly writeCount: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly stdoutBytes: number;
}

/** How the keeper counts stdout: by the shared file offset, by splice(2) through a pipe, or not at all. */
export type StdoutMode = 'file' | 'pipe' | 'terminal' | 'other';

export type KeeperEvent =
  | {
      readonly type: 'hello';
      /** argv as the user typed it, with argv[0]. */
      readonly argv: readonly string[];
      /** Every `PBOX_*` entry of the environment as `NAME=value`; the job does not get them. */
      readonly settings: readonly string[];
      readonly stdoutMode: StdoutMode;
      /** The verb, as in `proc_box ctl`; empty for a job. Node takes this and the next four from the front end. */
      readonly verb:
        | ''
        | 'adopt'
        | 'agent'
        | 'check'
        | 'collector'
        | 'ctl'
        | 'list'
        | 'report'
        | 'spool'
        | 'top'
        | 'watch'
        | 'where'
        | '--help'
        | '--version';
      /** Index of the command's first word; `argv.length` if there is no command. */
      readonly commandIndex: number;
      /** Index of the word after `--`, which holds even if an option before it is wrong; `argv.length` without `--`. */
      readonly fallbackIndex: number;
      /** `--failure open`; the last one counts. */
      readonly failsOpen: boolean;
      readonly debug: boolean;
      /** There is a controlling terminal. */
      readonly terminal: boolean;
    }
  | { readonly type: 'started'; readonly pid: number /** CLOCK_MONOTONIC, ms. */; readonly atMs: number }
  | {
      readonly type: 'failed';
      /** The step that failed: `fork`, `setpgid`, `rlimit`, `cgroup`, `exec`, ...; `adopt`: the process has ended. */
      readonly step: string;
      /** Index of the rlimit or `tasks` file in the spec; 0 for an `exec` if PATH does not hold the command; otherwise -1. */
      readonly index: number;
      readonly errno: number;
      /** `ENOENT` and so on. */
      readonly code: string;
    }
  | {
      readonly type: 'exited';
      /** Exit code of the main process; null if a signal ended it. For an adopted process both may be null: unknown. */
      readonly code: number | null;
      readonly signal: number | null;
      readonly coreDumped: boolean;
      readonly atMs: number;
      readonly usage: KeeperUsage;
    }
  /** No process of the box is left and all of its stdout has reached the reader. */
  | { readonly type: 'empty'; readonly usage: KeeperUsage }
  | { readonly type: 'stopped'; readonly signal: number }
  | { readonly type: 'continued' }
  | { readonly type: 'stdoutlimit'; readonly bytes: number }
  /** The number of bytes given to `stdoutMark` has been reached. */
  | { readonly type: 'stdoutmark'; readonly bytes: number }
  /** A signal that `watchSignals` takes over has reached the keeper: its sender signals a whole process tree or session. */
  | {
      readonly type: 'witnessed';
      readonly signal: number /** Of the sender. */;
      readonly pid: number;
      readonly atMs: number;
    }
  /** To an agent, after `hello`: what it does not inherit. */
  | {
      readonly type: 'origin';
      readonly frontPid: number;
      /** Number of words with those of the command that `hello` has left out. */
      readonly words: number;
      readonly folder: string;
      /** Entries that say who the job is, `NAME=value`. */
      readonly environment: readonly string[];
      /** Processes that the front end had as children before it became proc_box. */
      readonly children: readonly number[];
      /** `resumed` follows, because another agent has served this box before. */
      readonly resumes: boolean;
      /** The lines of the keeper's `/proc/self/mountinfo` about control groups; empty: an older keeper, or a box that goes on. */
      readonly mounts: string;
      /** The keeper's `/proc/self/cgroup`; empty as `mounts`. */
      readonly groups: string;
    }
  /** To an agent: a signal that the front end has received. */
  | ({ readonly type: 'delivery' } & SignalDelivery)
  /** To a later agent, after `origin`: what has happened before. Times are CLOCK_MONOTONIC, ms. */
  | {
      readonly type: 'resumed';
      /** Of the main process. */
      readonly pid: number;
      readonly mainEnded: boolean;
      /** When the keeper has acted on its deadline; null if it has not. */
      readonly expiredMs: number | null;
      readonly startedMs: number;
      readonly lostMs: number;
      /** What the agent before has given to `keep`. */
      readonly kept: Buffer;
    }
  /** Of `proc_box adopt`, after `hello` and `origin`, and again before `started`: what /proc shows of the process. */
  | {
      readonly type: 'process';
      /** The value of `--pid`; 0 if that makes no sense. */
      readonly pid: number;
      readonly stdoutMode: 'file' | 'other';
      /** proc_pid_stat(5); empty if there is no such process. */
      readonly stat: string;
      /** proc_pid_status(5). */
      readonly status: string;
      /** The first word of its command line; empty if that cannot be read. */
      readonly command: string;
      /** Entries of its environment that say who the job is, `NAME=value`; null if it cannot be read. */
      readonly environment: readonly string[] | null;
    }
  /** To an agent, from a tool and in place of `hello`. */
  | { readonly type: 'ask'; readonly text: string }
  /** The keeper has acted on its deadline, because its wrapper has not. */
  | { readonly type: 'expired'; readonly atMs: number }
  /** To an agent: the scheduler has held the box, and `totalMs` is for how long so far. */
  | { readonly type: 'held'; readonly totalMs: number }
  /** Processes left a second after SIGKILL. `final`: the keeper no longer waits for them, and `empty` follows. */
  | { readonly type: 'unkillable'; readonly processes: readonly Unkillable[]; readonly final: boolean }
  /** After an upgrade, this keeper speaks another version of the protocol. No event follows. */
  | { readonly type: 'mismatch'; readonly version: number; readonly expected: number }
  /** Of a foreign connection: a frame of a type that this version does not have. */
  | { readonly type: 'unknown'; readonly number: number }
  /** The keeper has ended; no event follows. `fault`: what was wrong with a foreign connection, or empty. */
  | { readonly type: 'gone'; readonly fault?: string };

export interface Unkillable {
  readonly pid: number;
  readonly name: string;
  /** Worded for users: why SIGKILL does not end the process. */
  readonly reason: string;
}
