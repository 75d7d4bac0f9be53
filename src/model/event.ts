import type { StdoutMode } from 'cgroup-utils-native';
import type { JobIdentity } from '../options/spec.js';
import type { LimitStatus, LimitTable, OomCounts, Pressure, ProcessInfo, Throttling } from './sample.js';
import type { BoxState, Outgoing, Reason, RefusalCode, Requester } from './types.js';

/** The version of the event schema. docs/messages.md and docs/schema/event.json describe the same keys. */
export const EVENT_VERSION = 1;

/** The AMQP message type of an event. */
export const EVENT_TYPE = 'proc_box.event';

/** The keys that every event has. Keys are snake_case, and units come last. */
export interface EventHead {
  readonly version: number;
  /** Position in the sequence that the box's samples and events share, from 1. */
  readonly sequence: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly identity: JobIdentity;
  /** The state after the event. */
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
  /** True if the process ran before its box was made: `proc_box adopt`. */
  readonly adopted: boolean;
  /** The first word of the command. Its arguments are not published because they may hold secrets. */
  readonly executable: string;
  readonly argument_count: number;
  readonly stdout_mode: StdoutMode;
  /** 0 if there are no periodic samples. */
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
  /** Null if there was no such limit before. */
  readonly from: LimitStatus | null;
  /** Null if the limit no longer exists. */
  readonly to: LimitStatus | null;
  readonly by: By;
}

export interface LimitExceeded {
  readonly event: 'limit_exceeded';
  readonly limit: string;
  readonly status: LimitStatus;
  /** Usage in the unit of the limit; null if unknown. */
  readonly used: number | null;
  /** For limits of the box as a whole: the largest processes when the excess was found, or in the last sample. */
  readonly processes: readonly ProcessInfo[];
}

/** A limit will soon be reached: once per threshold, until the limit changes. */
export interface LimitNear {
  readonly event: 'limit_near';
  readonly limit: string;
  readonly status: LimitStatus;
  /** The threshold of `--near` that was reached. */
  readonly threshold_percent: number;
  /** Usage in the unit of the limit; for memory, only what cannot be reclaimed. */
  readonly used: number;
}

/** The signal of `--warn-signal` was sent. */
export interface Warned {
  readonly event: 'warned';
  readonly signal: string;
  /** Time until the wall clock limit. */
  readonly remaining_ms: number;
}

export interface OutOfMemory {
  readonly event: 'oom';
  /** Processes killed since the last event of this kind. */
  readonly kills: number;
  /** The limit that was hit; null if the box's cgroup has none, so that the host or the scheduler's group ran out. */
  readonly limit: LimitStatus | null;
  /** The sample's MemoryPeak.cgroup, or MemoryPeak.rss if no cgroup counts memory. */
  readonly memory_peak_bytes: number;
  /** The largest processes in the last sample. */
  readonly processes: readonly ProcessInfo[];
}

/** The audit trail: one event per command, whether it was carried out or refused. */
export interface CommandEvent {
  readonly event: 'command';
  /** As it was sent, at most 128 characters; empty if the message had none. */
  readonly command: string;
  /** By name, as parsed; as sent if the command was refused before that; null if unreadable. */
  readonly arguments: Readonly<Record<string, string | number>> | readonly string[] | null;
  readonly by: By;
  /** Whether the command reached the box. The answer says what the box did. */
  readonly decision: 'accepted' | 'refused';
  readonly answer: AnswerSummary;
}

/** The answer, but without the result of `status`, which repeats the last sample. */
export type AnswerSummary =
  | { readonly ok: true; readonly result?: unknown }
  | { readonly ok: false; readonly error: { readonly code: RefusalCode; readonly message: string } };

/** The end report. */
export interface Exited {
  readonly event: 'exited';
  /** Exit status of proc_box (docs/exit-status.md). */
  readonly exit_status: number;
  /** Exit code of the main process; null if a signal ended it, it never ran, or it was adopted and the code is unknown. */
  readonly code: number | null;
  /** The signal that ended the main process, such as `SIGKILL`; null if no signal did. */
  readonly signal: string | null;
  readonly core_dumped: boolean;
  readonly reason: Reason;
  /** Who asked for the end; null if the job ended by itself. */
  readonly by: By | null;
  /** The line about the end that stderr shows to people; null if the exit status says everything. */
  readonly why: string | null;
  /** Wall clock time from the start to the end of the main process, including suspension. */
  readonly elapsed_ms: number;
  /** The part of `elapsed_ms` during which the box was suspended. */
  readonly suspended_ms: number;
  readonly usage: TotalUsage;
  readonly limits: Readonly<Record<string, UsedLimit>>;
  /** Commands refused and not carried out. */
  readonly refused_commands: number;
  /** Processes that had not ended despite SIGKILL when proc_box ended. */
  readonly left: readonly { readonly pid: number; readonly name: string; readonly reason: string }[];
  /** Number of samples and events given up. */
  readonly dropped: number;
}

/** Usage of the whole process tree, from start to end. */
export interface TotalUsage {
  readonly user_sec: number;
  readonly system_sec: number;
  /** CPU time divided by `elapsed_ms`; 100 is one core kept busy. */
  readonly cpu_percent: number;
  readonly memory_peak_bytes: number;
  /** What `--memory` limits, including page cache and kernel memory; null if no cgroup counts it. */
  readonly cgroup_memory_peak_bytes: number | null;
  /** True if `cgroup_memory_peak_bytes` is the kernel's own record, false if it is the highest sample. */
  readonly cgroup_memory_peak_exact: boolean;
  readonly process_memory_peak_bytes: number;
  readonly processes_peak: number;
  readonly threads_peak: number;
  /** Processes and threads, as `--pids` counts them; null if no cgroup counts them. */
  readonly tasks_peak: number | null;
  readonly forks_refused: number | null;
  readonly oom: OomCounts | null;
  readonly throttling: Throttling | null;
  /** Time during which tasks of the box were stalled; null if only the host's pressure is known. */
  readonly stalled_usec: StalledUsec | null;
  readonly read_count: number;
  readonly write_count: number;
  readonly read_bytes: number;
  readonly write_bytes: number;
  readonly stdout_bytes: number;
}

/** The `some` and `full` totals of Pressure; null if the kernel does not report them. */
export type StalledUsec = {
  readonly [Resource in Exclude<keyof Pressure, 'scope'>]: {
    readonly some: number;
    readonly full: number | null;
  } | null;
};

/** A limit and its usage in the limit's unit: the total or the peak; null if it is not measured. */
export interface UsedLimit extends LimitStatus {
  readonly used: number | null;
}

/** Comes not from the box but from the delivery of its spool, in place of the first lost message. Counts lost messages. */
export interface SpoolDropped {
  readonly event: 'spool_dropped';
  /** Samples and events, for all reasons together. */
  readonly messages: number;
  /** `--spool-max-bytes` */
  readonly no_room: number;
  /** `--spool-max-age` */
  readonly too_old: number;
  /** Records that are torn or do not match their checksum. */
  readonly damaged: number;
  /** Records that the file's owner may not publish. */
  readonly refused: number;
}

/** The supervision of an adopted process has ended. The process continues within its limits. */
export interface Released {
  readonly event: 'released';
  readonly by: By;
}

/** No box could be made, and the job runs without one (`--failure open`). This is the job's only message. */
export interface Unboxed {
  readonly event: 'unboxed';
  /** For people. */
  readonly why: string;
}

/** Some options could not be read, and the job runs in a box without them (`--failure open`). */
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
  /** Returns the next number of the sequence that samples and events share. */
  readonly sequence: () => number;
  /** Called once per event, in order of `sequence`. */
  readonly emit: (event: BoxEvent, outgoing: Outgoing) => void;
  /** The realtime clock, ms since the epoch. @default Date.now */
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
