/** Everything that a job's screen shows, kept current. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { BoxRow, BoxView, EventView, JobSeries, JobView } from '../../model/api.js';
import { apiPath, type TimeLine } from '../data/api.js';
import { addNow, createJobLine } from '../data/job-line.js';
import type { Series } from '../data/series.js';
import { type ApiFailure, useFetched } from './fetch.js';
import { WHOAMI } from './session.js';
import { useStream } from './stream.js';

export interface JobData {
  readonly job: JobView | null;
  readonly failure: ApiFailure | null;
  readonly again: () => void;
  /** Every box that is known, newest figures. */
  readonly rows: readonly BoxRow[];
  /** The box that was chosen, or the only one. */
  readonly box: BoxView | null;
  readonly events: readonly EventView[];
  readonly line: Series;
  /** Rises whenever the line has a new point. */
  readonly version: number;
}

const EVENTS_MAX = 500;
/** Notes and sums of a job follow its boxes at this pace. */
const REFRESH_MS = 15_000;

/** @param chosen id of a box; null shows the job as a whole */
export function useJob(
  job: string,
  cluster: string | undefined,
  user: string | undefined,
  chosen: string | null,
): JobData {
  const which = { cluster, user };
  const path = (...parts: string[]) => apiPath(['jobs', job, ...parts], which);
  const view = useFetched<JobView>(path(), REFRESH_MS);
  const ended = view.data?.state === 'ended';
  const only = view.data?.boxes_total === 1 ? (view.data.boxes[0]?.box ?? null) : null;
  const boxId = chosen ?? only;
  const box = useFetched<BoxView>(boxId === null ? null : apiPath(['boxes', boxId]), ended ? undefined : REFRESH_MS);
  const past = useFetched<TimeLine | JobSeries>(
    view.data === null
      ? null
      : boxId === null
        ? apiPath(['jobs', job, 'series'], { ...which, points: 800, boxes: 0 })
        : apiPath(['boxes', boxId, 'series'], { points: 800 }),
  );
  const first = useFetched<readonly EventView[]>(
    view.data === null ? null : apiPath(['jobs', job, 'events'], { ...which, limit: EVENTS_MAX }),
  );
  const rows = useRef(new Map<string, BoxRow>()).current;
  const [news, setNews] = useState<readonly EventView[]>([]);
  const [version, setVersion] = useState(0);
  const line = useMemo(
    () => createJobLine(past.data === null ? null : 'sum' in past.data ? past.data.sum : past.data),
    [past.data],
  );
  const refresh = useCallback(() => {
    view.again();
    box.again();
  }, [view.again, box.again]);
  const again = useSoon(refresh);
  // Nothing is kept current from now on, and these answers may be from before the end.
  useEffect(() => {
    if (!ended) return;
    box.again();
    first.again();
  }, [ended]);
  useStream(
    view.data === null || ended ? null : path('stream'),
    {
      rows: (changed: readonly BoxRow[]) => {
        for (const row of changed) rows.set(row.box, row);
        addNow(line, boxId === null ? rows.values() : [...rows.values()].filter(({ box: id }) => id === boxId));
        setVersion((number) => number + 1);
      },
      event: (event: EventView) => {
        setNews((before) => [...before, event].slice(-EVENTS_MAX));
        again();
      },
    },
    WHOAMI,
  );
  // The version tells that rows have changed.
  const all = useMemo(() => merged(view.data?.boxes ?? [], rows), [view.data, version]);
  const events = useMemo(() => eventsOf(first.data ?? [], news), [first.data, news]);
  return { job: view.data, failure: view.failure, again: view.again, rows: all, box: box.data, events, line, version };
}

function merged(boxes: readonly BoxRow[], live: ReadonlyMap<string, BoxRow>): BoxRow[] {
  const rows = new Map(boxes.map((row) => [row.box, row]));
  for (const row of live.values()) if (row.updated_ms >= (rows.get(row.box)?.updated_ms ?? 0)) rows.set(row.box, row);
  return [...rows.values()];
}

/** Each event once, the latest first. */
function eventsOf(before: readonly EventView[], news: readonly EventView[]): EventView[] {
  const all = new Map([...before, ...news].map((event) => [`${event.box} ${event.sequence}`, event]));
  return [...all.values()]
    .sort((one, other) => other.at_ms - one.at_ms || other.sequence - one.sequence)
    .slice(0, EVENTS_MAX);
}

/** Calls once for many calls within a second. */
function useSoon(does: () => void): () => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(does, 700);
  }, [does]);
}
