import { amountAt, nameAt, objectAt } from '../model/fields.js';
import type { Observed, ObservedIdentity, ObservedSample } from '../model/observed.js';

/** What is known of one box from the messages that have come so far. */
export interface Tracked {
  readonly identity: ObservedIdentity;
  readonly state: string;
  /** Position of the newest message. */
  readonly sequence: number;
  /** When it came, by this host's clock; ms of performance.now(). */
  readonly heardMs: number;
  readonly sample: ObservedSample | null;
  /** When the sample came, in the same time. */
  readonly sampledMs: number;
  /** Bytes per second; null before there are two samples. */
  readonly readRate: number | null;
  readonly writeRate: number | null;
  readonly command: string | null;
  /** 0: no periodic samples; null: not known. */
  readonly intervalMs: number | null;
}

/** @returns the box after a message; the same object if the message is older than what is known */
export function heard(before: Tracked | undefined, message: Observed, nowMs: number): Tracked {
  if (before !== undefined && message.sequence <= before.sequence) return before;
  const { identity, state, sequence } = message;
  const known = before ?? unknownBox(identity);
  if (message.kind === 'sample')
    return { ...known, identity, state, sequence, heardMs: nowMs, ...measured(known, message, nowMs) };
  const box = { ...known, identity, state, sequence, heardMs: nowMs };
  if (message.event === 'exited') return { ...box, state: 'ended' };
  if (message.event !== 'started') return box;
  const { body } = message;
  return { ...box, command: nameAt(body['executable']), intervalMs: amountAt(body['sample_interval_ms']) };
}

/** @param result of an answer to `status`; docs/messages.md */
export function answered(
  before: Tracked | undefined,
  identity: ObservedIdentity,
  result: unknown,
  sample: ObservedSample | null,
  nowMs: number,
): Tracked {
  const known = before ?? unknownBox(identity);
  const fields = objectAt(result);
  const isNews = sample !== null && sample.sequence > known.sequence;
  return {
    ...known,
    ...(isNews && measured(known, sample, nowMs)),
    identity,
    state: nameAt(fields['state']) ?? known.state,
    sequence: isNews ? sample.sequence : known.sequence,
    heardMs: nowMs,
    command: nameAt(fields['executable']) ?? known.command,
    intervalMs: amountAt(fields['sample_interval_ms']) ?? known.intervalMs,
  };
}

function unknownBox(identity: ObservedIdentity): Tracked {
  return {
    identity,
    state: 'starting',
    sequence: 0,
    heardMs: 0,
    sample: null,
    sampledMs: 0,
    readRate: null,
    writeRate: null,
    command: null,
    intervalMs: null,
  };
}

function measured(
  { sample: last, readRate, writeRate }: Tracked,
  sample: ObservedSample,
  nowMs: number,
): Pick<Tracked, 'sample' | 'sampledMs' | 'readRate' | 'writeRate'> {
  const rates = { readRate, writeRate };
  if (last !== null) {
    // A large box counts I/O less often than it samples.
    const sec = (sample.atMs - sample.walkAgeMs - (last.atMs - last.walkAgeMs)) / 1000;
    const perSec = (now: number, then: number) => Math.max(0, now - then) / sec;
    if (sec >= LEAST_SEC) {
      rates.readRate = perSec(sample.readBytes, last.readBytes);
      rates.writeRate = perSec(sample.writeBytes, last.writeBytes);
    }
  }
  return { sample, sampledMs: nowMs, ...rates };
}

/** Two samples that are closer, as after a command, tell no rate. */
const LEAST_SEC = 0.05;
