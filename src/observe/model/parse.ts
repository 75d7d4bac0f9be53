import type { BoxState } from '../../model/types.js';
import { amountAt, type Fields, isFields, nameAt, numberAt, objectAt } from './fields.js';
import { readLimits, readPressure, readProcesses } from './nested.js';
import {
  BOX_STATES,
  type Observed,
  type ObservedEvent,
  type ObservedIdentity,
  type ObservedSample,
  TIME_MAX_MS,
  type Unreadable,
} from './observed.js';

/**
 * Turns the body of a statistics or event message into a typed value. It is tolerant: unknown keys are ignored, a missing figure
 * is null or 0, and only a message that names no box, position or time is unreadable. Never throws.
 */

/** Largest body that is read, in bytes. A box's own messages stay far below it. */
export const BODY_MAX_BYTES = 1024 * 1024;
/** Sequence numbers above this are refused: no box sends so many messages, and the store counts in ranges below it. */
const SEQUENCE_MAX = 2 ** 48;
const STATES: ReadonlySet<unknown> = new Set(BOX_STATES);

/** @param body UTF-8 text */
export function parseMessage(body: Buffer | Uint8Array | string): Observed | Unreadable {
  if (body.length > BODY_MAX_BYTES) return unreadable('too_large');
  let value: unknown;
  try {
    value = JSON.parse(typeof body === 'string' ? body : decode(body));
  } catch {
    return unreadable('not_json'); // SyntaxError, or the bytes are no UTF-8
  }
  return parseValue(value);
}

/** @param value as JSON.parse returns it */
export function parseValue(value: unknown): Observed | Unreadable {
  if (!isFields(value)) return unreadable('not_proc_box');
  if (typeof value['event'] === 'string') return parseEvent(value);
  return isFields(value['CPUTimes']) ? parseSample(value) : unreadable('not_proc_box');
}

function parseSample(value: Fields): ObservedSample | Unreadable {
  const head = headOf(value['Identity'], value['Sequence'], value['TimeUTC'], value['TimeUnix']);
  if ('kind' in head) return head;
  const memory = objectAt(value['Memory']);
  const counted = value['MemoryCgroup'];
  const peak = objectAt(value['MemoryPeak']);
  const cpu = objectAt(value['CPUTimes']);
  const io = objectAt(value['IOCounters']);
  const timer = objectAt(value['Timer']);
  const counts = objectAt(value['Counts']);
  const limits = readLimits(value['Limits']);
  const rssBytes = amountAt(memory['rss']) ?? 0;
  const memoryBytes = isFields(counted) ? (amountAt(counted['current']) ?? rssBytes) : rssBytes;
  return {
    kind: 'sample',
    ...head,
    cause: nameAt(value['Cause']),
    state: stateOf(value['State']),
    elapsedMs: amountAt(timer['elapsed_ms']),
    timeLimitMs: amountAt(timer['limit_ms']),
    timerRunning: timer['running'] === true,
    cpuPercent: amountAt(value['CPUPercent']) ?? 0,
    userSec: amountAt(cpu['user']) ?? 0,
    systemSec: amountAt(cpu['system']) ?? 0,
    cpuLimitCores: limitValue(limits, 'cpus'),
    rssBytes,
    rssPeakBytes: Math.max(rssBytes, amountAt(peak['rss']) ?? 0),
    swapBytes: amountAt(memory['swap']) ?? 0,
    memoryBytes,
    memoryHeldBytes: heldBytes(value['MemoryDetail']),
    memoryPeakBytes: Math.max(memoryBytes, amountAt(peak[isFields(counted) ? 'cgroup' : 'rss']) ?? 0),
    memoryLimitBytes: limitValue(limits, 'memory'),
    readBytes: amountAt(io['read_bytes']) ?? 0,
    writeBytes: amountAt(io['write_bytes']) ?? 0,
    readCount: amountAt(io['read_count']) ?? 0,
    writeCount: amountAt(io['write_count']) ?? 0,
    ...readPressure(value['Pressure']),
    throttledMs: amountAt(objectAt(value['Throttling'])['throttled_ms']),
    oomKills: amountAt(objectAt(value['OOM'])['kills']),
    processes: amountAt(counts['processes']) ?? 0,
    threads: amountAt(value['NumThreads']) ?? 0,
    stdoutBytes: amountAt(value['StdoutBytes']) ?? 0,
    dropped: amountAt(value['Dropped']) ?? 0,
    limits,
    walkAgeMs: amountAt(value['ProcessesAgeMs']) ?? 0,
    largest: readProcesses(value['Processes']),
  };
}

function parseEvent(value: Fields): ObservedEvent | Unreadable {
  const { event, version: _version, sequence, time, identity, state, ...body } = value;
  const head = headOf(identity, sequence, time, undefined);
  if ('kind' in head) return head;
  return { kind: 'event', ...head, state: stateOf(state), event: nameAt(event) ?? 'unknown', body };
}

function heldBytes(value: unknown): number | null {
  const detail = objectAt(value);
  const anon = amountAt(detail['anon']);
  if (detail['source'] !== 'cgroup' || anon === null) return null;
  return anon + (amountAt(detail['shmem']) ?? 0) + (amountAt(detail['kernel']) ?? 0);
}

type Head = Pick<ObservedSample, 'id' | 'identity' | 'sequence' | 'atMs'>;

function headOf(identityField: unknown, sequence: unknown, time: unknown, unix: unknown): Head | Unreadable {
  const identity = readIdentity(identityField);
  if (identity === null) return unreadable('no_identity');
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1 || (sequence as number) > SEQUENCE_MAX)
    return unreadable('no_sequence');
  const atMs = timeOf(time, unix);
  if (atMs === null) return unreadable('no_time');
  return { id: `${identity.box}-${sequence}`, identity, sequence: sequence as number, atMs };
}

/** @returns null if the box, its job, user or host has no name */
export function readIdentity(value: unknown): ObservedIdentity | null {
  const fields = objectAt(value);
  const box = nameAt(fields['box']);
  const job = nameAt(fields['job']);
  const user = nameAt(fields['user']);
  const host = nameAt(fields['host']);
  if (box === null || job === null || user === null || host === null) return null;
  const verified = fields['verified'];
  return {
    box,
    job,
    user,
    host,
    scheduler: nameAt(fields['scheduler']) ?? 'none',
    cluster: nameAt(fields['cluster']),
    step: nameAt(fields['step']),
    task: nameAt(fields['task']),
    node: nameAt(fields['node']),
    queue: nameAt(fields['queue']),
    restart: amountAt(fields['restart']) ?? 0,
    verified: Array.isArray(verified) ? ['user', 'host', 'job'].filter((part) => verified.includes(part)) : [],
  };
}

function timeOf(text: unknown, unixSec: unknown): number | null {
  const ms = typeof text === 'string' && text.length <= 64 ? Date.parse(text) : Number.NaN;
  const atMs = Number.isFinite(ms) ? ms : (numberAt(unixSec) ?? Number.NaN) * 1_000;
  return atMs >= 0 && atMs <= TIME_MAX_MS ? atMs : null;
}

function stateOf(value: unknown): BoxState {
  return STATES.has(value) ? (value as BoxState) : 'running';
}

function limitValue(limits: ObservedSample['limits'], name: string): number | null {
  return Object.hasOwn(limits, name) ? amountAt(limits[name]!.value) : null;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws TypeError if the bytes are no UTF-8 */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function unreadable(reason: Unreadable['reason']): Unreadable {
  return { kind: 'unreadable', reason };
}
