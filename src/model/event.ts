import type { StdoutMode } from 'cgroup-utils-native';
import type { JobIdentity } from '../options/spec.js';
import type { LimitStatus, LimitTable, OomCounts, Pressure, ProcessInfo, Throttling } from './sample.js';
import type { BoxState, Outgoing, Reason, RefusalCode, Requester } from './types.js';

/** Version of the event schema; docs/messages.md and docs/schema/event.json describe the same keys. */
export const EVENT_VERSION = 1;

/** The AMQP message type of an event. */
export const EVENT_TYPE = 'proc_box.event';

/** What every event has; keys are snake_case, units come last. */
export interface EventHead {
  readonly version: number;
  /** Position in the box's one sequence of samples and events, from 1. */
  readonly sequence: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly identity: JobIdentity;
  /** After what the event tells of. */
  readonly state: BoxState;
}

/** Who asked: a message, a signal to the wrapper, a limit, or the box itself. */
export interface By {
  readonly via: Requester['via'];
  readonly message_id?: string;
  readonly user?: string;
  readonly key?: string;
  readonly signer?: string;
  readonly signal?: string;
  readonly sender?: Requester['sender'];
}

export interface Started {
  readonly event: 'started';
  readonly pid: number;
  /** It ran before its box was made: `proc_box adopt`. */
  readonly adopted: boolean;
  /** First word of the command; its arguments stay on the host, they may hold secrets. */
  readonly executable: string;
  readonly argument_count: number;
  readonly stdout_mode: StdoutMode;
  /** 0: no periodic samples. */
  readonly sample_interval_ms: number;
  readonly limits: LimitTable;
}

export interface Suspended {
  readonly event: 'suspended';
  readonly by: By;
}

export interface Resumed {
  readonly event: 'resumed';
  readonly by: By;
}

export interface LimitChanged {
  readonly event: 'limit_changed';
  readonly limit: string;
  /** Null where there was none. */
  readonly from: LimitStatus | null;
  /** Null where there is none any more. */
  readonly to: LimitStatus | null;
  readonly by: By;
}

export interface LimitExceeded {
  readonly event: 'limit_exceeded';
  readonly limit: string;
  readonly status: LimitStatus;
  /** In the unit of the limit; null where it is not known. */
  readonly used: number | null;
  /** The largest, for limits of the box as a whole; of the look that found it, or as last sampled. */
  readonly processes: readonly ProcessInfo[];
}

/** A limit is not reached yet; once for each threshold, until the limit changes. */
export interface LimitNear {
  readonly event: 'limit_near';
  readonly limit: string;
  readonly status: LimitStatus;
  /** The threshold of `--near` that was reached. */
  readonly threshold_percent: number;
  /** In the unit of the limit; of memory what cannot be given back. */
  readonly used: number;
}

/** The signal of `--warn-signal` was sent. */
export interface Warned {
  readonly event: 'warned';
  readonly signal: string;
  /** Until the wall clock limit. */
  readonly remaining_ms: number;
}

export interface OutOfMemory {
  readonly event: 'oom';
  /** Processes killed since the last event of this kind. */
  readonly kills: number;
  /** The limit that was hit; null where the box's cgroup holds none: it was the host's or the scheduler's memory. */
  readonly limit: LimitStatus | null;
  /** As the cgroup counts it: MemoryPeak.cgroup of samples; MemoryPeak.rss where it does not. */
  readonly memory_peak_bytes: number;
  /** The largest as last sampled. */
  readonly processes: readonly ProcessInfo[];
}

/** The audit trail: one for each command, carried out or refused. */
export interface CommandEvent {
  readonly event: 'command';
  /** As it was sent, at most 128 characters; empty where the message had none. */
  readonly command: string;
  /** By name as they were understood; of a command that was refused before that as they were sent, null if unreadable. */
  readonly arguments: Readonly<Record<string, string | number>> | readonly string[] | null;
  readonly by: By;
  /** Whether the box was given the command; what it made of it is the answer. */
  readonly decision: 'accepted' | 'refused';
  readonly answer: AnswerSummary;
}

/** The answer without the result of `status`, which repeats the last sample. */
export type AnswerSummary =
  | { readonly ok: true; readonly result?: unknown }
  | { readonly ok: false; readonly error: { readonly code: RefusalCode; readonly message: string } };

/** The end report. */
export interface Exited {
  readonly event: 'exited';
  /** Exit status of proc_box: docs/exit-status.md. */
  readonly exit_status: number;
  /** Exit code of the main process; null where a signal ended it, it never ran, or it was adopted and nobody told. */
  readonly code: number | null;
  /** `SIGKILL`; null where none ended it. */
  readonly signal: string | null;
  readonly core_dumped: boolean;
  readonly reason: Reason;
  /** Who asked for the end; null where the job ended by itself. */
  readonly by: By | null;
  /** The line that stderr has about the end, for people; null where the exit status says everything. */
  readonly why: string | null;
  /** Wall clock from the start to the end of the main process, suspension included. */
  readonly elapsed_ms: number;
  /** Part of `elapsed_ms` in which the box was suspended. */
  readonly suspended_ms: number;
  readonly usage: TotalUsage;
  readonly limits: Readonly<Record<string, UsedLimit>>;
  /** Messages refused, not carried out. */
  readonly refused_commands: number;
  /** Processes that SIGKILL had not ended when proc_box ended. */
  readonly left: readonly { readonly pid: number; readonly name: string; readonly reason: string }[];
  /** Samples and events given up. */
  readonly dropped: number;
}

/** Of the whole tree, from start to end. */
export interface TotalUsage {
  readonly user_sec: number;
  readonly system_sec: number;
  /** CPU time over `elapsed_ms`, 100 is one core kept busy. */
  readonly cpu_percent: number;
  readonly memory_peak_bytes: number;
  /** What `--memory` counts: with page cache and kernel memory; null where no cgroup counts it. */
  readonly cgroup_memory_peak_bytes: number | null;
  /** `cgroup_memory_peak_bytes` is the kernel's own mark, not the highest sampled. */
  readonly cgroup_memory_peak_exact: boolean;
  readonly process_memory_peak_bytes: number;
  readonly processes_peak: number;
  readonly threads_peak: number;
  /** Processes and threads, as `--pids` counts them; null where no cgroup does. */
  readonly tasks_peak: number | null;
  readonly forks_refused: number | null;
  readonly oom: OomCounts | null;
  readonly throttling: Throttling | null;
  /** Time in which tasks of the box were stalled; null where only the host's pressure is known. */
  readonly stalled_usec: StalledUsec | null;
  readonly read_count: number;
  readonly write_count: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly stdout_bytes: number;
}

/** The totals of Pressure, `some` and `full`; null where the kernel does not tell. */
export type StalledUsec = {
  readonly [Resource in Exclude<keyof Pressure, 'scope'>]: {
    readonly some: number;
    readonly full: number | null;
  } | null;
};

/** A limit with what was used of it, in its unit: the total or the peak; null where it is not measured. */
export interface UsedLimit extends LimitStatus {
  readonly used: number | null;
}

/** Not of the box: whoever delivers its spool says what of it was lost, in the place of the first lost message. */
export interface SpoolDropped {
  readonly event: 'spool_dropped';
  /** Samples and events, all reasons together. */
  readonly messages: number;
  /** `--spool-max-bytes` */
  readonly no_room: number;
  /** `--spool-max-age` */
  readonly too_old: number;
  /** Records that do not match their checksum, or are torn. */
  readonly damaged: number;
  /** Records that the file's owner may not publish. */
  readonly refused: number;
}

/** The supervision of an adopted process has ended; the process goes on within its limits. */
export interface Released {
  readonly event: 'released';
  readonly by: By;
}

/** Not of a box: none could be made, and the job runs all the same (`--failure open`). Its only message. */
export interface Unboxed {
  readonly event: 'unboxed';
  /** For people. */
  readonly why: string;
}

/** Not all that was asked for counts, and the job runs in a box without it (`--failure open`). */
export interface OptionsIgnored {
  readonly event: 'options_ignored';
  /** For people. */
  readonly why: string;
}

export type EventBody =
  | Started
  | OptionsIgnored
  | Unboxed
  | Released
  | Suspended
  | Resumed
  | LimitChanged
  | LimitExceeded
  | LimitNear
  | Warned
  | OutOfMemory
  | CommandEvent
  | Exited
  | SpoolDropped;

export type BoxEvent = EventHead & EventBody;

export interface EventSourceOptions {
  readonly identity: JobIdentity;
  readonly state: () => BoxState;
  /** Next number of the box's sequence of samples and events. */
  readonly sequence: () => number;
  /** Gets every event once, in order of `sequence`. */
  readonly emit: (event: BoxEvent, outgoing: Outgoing) => void;
  /** Realtime clock, ms since the epoch. @default Date.now */
  readonly nowMs?: () => number;
}

/** @returns a function that completes a body, emits it and returns the event */
export function createEventSource(
  options: EventSourceOptions,
): <Body extends EventBody>(body: Body) => EventHead & Body {
  const nowMs = options.nowMs ?? Date.now;
  return (body) => {
    const atMs = nowMs();
    const head: EventHead = {
      version: EVENT_VERSION,
      sequence: options.sequence(),
      time: new Date(atMs).toISOString(),
      identity: options.identity,
      state: options.state(),
    };
    const event = Object.assign({ event: body.event }, head, body);
    options.emit(event, {
      kind: 'event',
      messageId: `${options.identity.box}-${event.sequence}`,
      type: EVENT_TYPE,
      body: JSON.stringify(event),
      timestamp: Math.floor(atMs / 1000),
    });
    return event;
  };
}
