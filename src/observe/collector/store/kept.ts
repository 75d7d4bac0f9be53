import { parseJson } from '../../model/json.js';
import { readLimits } from '../../model/nested.js';
import { readIdentity } from '../../model/parse.js';
import { type KeptBox, LiveBox } from '../live/box.js';
import { FIGURES_WIDTH } from '../live/figures.js';
import { decodeColumns, encodeColumns } from './columns.js';
import type { Row, Value } from './database.js';
import { Ranges } from './ranges.js';

/** A box as a row of the table `box`, and back. */

const COLUMNS = [
  'box',
  'job',
  'job_array',
  'cluster',
  '"user"',
  'host',
  'identity',
  'executable',
  'interval_ms',
  'first_ms',
  'started_ms',
  'updated_ms',
  'received_ms',
  'ended_ms',
  'reason',
  'exit_status',
  'why',
  'seen',
  'samples',
  'events',
  'flushed_id',
  'figures',
  'limits',
  'report',
] as const;

/** What does not change once the box is known. */
const FIXED: ReadonlySet<string> = new Set([
  'box',
  'job',
  'job_array',
  'cluster',
  '"user"',
  'host',
  'identity',
  'first_ms',
]);

export const UPSERT_BOX = `INSERT INTO box (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})
  ON CONFLICT (box) DO UPDATE SET ${COLUMNS.filter((name) => !FIXED.has(name))
    .map((name) => `${name} = excluded.${name}`)
    .join(', ')}`;

/** @returns the values of UPSERT_BOX */
export function valuesOf(box: LiveBox): Value[] {
  const { identity, end } = box;
  return [
    identity.box,
    identity.job,
    arrayOf(identity.job),
    identity.cluster,
    identity.user,
    identity.host,
    JSON.stringify(identity),
    box.executable,
    whole(box.intervalMs),
    whole(box.firstMs),
    whole(box.startedMs),
    whole(box.updatedMs),
    whole(box.receivedMs),
    whole(end?.atMs ?? null),
    end?.reason ?? null,
    whole(end?.exitStatus ?? null),
    end?.why ?? null,
    box.seen.toString(),
    box.samples,
    box.events,
    box.flushedId,
    encodeColumns(box.figures, FIGURES_WIDTH),
    JSON.stringify(box.limits),
    box.report,
  ];
}

/** The id of the array that a job is a task of: `1234` of `1234_7`, and of PBS's `1234[7]`; else null. */
function arrayOf(job: string): string | null {
  return /^(.+?)(?:_\d+|\[\d+\].*)$/.exec(job)?.[1] ?? null;
}

function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}

/** @returns null if the row is not one that a collector has written */
export function boxOf(row: Row): LiveBox | null {
  const identity = readIdentity(parseJson(String(row['identity'])));
  if (identity === null) return null;
  const number = (name: string) => (typeof row[name] === 'number' ? row[name] : null);
  const text = (name: string) => (typeof row[name] === 'string' ? row[name] : null);
  const endedMs = number('ended_ms');
  const kept: KeptBox = {
    identity,
    firstMs: number('first_ms') ?? 0,
    startedMs: number('started_ms'),
    updatedMs: number('updated_ms') ?? 0,
    receivedMs: number('received_ms') ?? 0,
    seen: Ranges.parse(text('seen') ?? ''),
    samples: number('samples') ?? 0,
    events: number('events') ?? 0,
    flushedId: number('flushed_id') ?? 0,
    figures: figuresOf(row['figures']),
    end:
      endedMs === null
        ? null
        : { atMs: endedMs, reason: text('reason') ?? 'unknown', exitStatus: number('exit_status'), why: text('why') },
    executable: text('executable'),
    intervalMs: number('interval_ms'),
    limits: readLimits(parseJson(String(row['limits']))),
    report: text('report'),
  };
  return new LiveBox(kept);
}

/** A later collector may have written more of them, and one before fewer. */
function figuresOf(bytes: Value | undefined): Float64Array {
  const figures = new Float64Array(FIGURES_WIDTH).fill(Number.NaN);
  if (bytes instanceof Uint8Array) figures.set(decodeColumns(bytes).rows.subarray(0, FIGURES_WIDTH));
  return figures;
}
