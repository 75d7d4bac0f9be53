/** Paths and figures of the collector's API. Its types are in src/observe/model/api.ts; text in them may hold anything. */
import { API_PREFIX, type JobView, type Series } from '../../model/api.js';

/** Figures of a time line that the page plots; a BoxRow has the same ones of now. */
export const COLUMNS = [
  'cpu_percent',
  'memory_bytes',
  'memory_limit_bytes',
  'read_bytes_per_sec',
  'write_bytes_per_sec',
  'pressure_cpu_percent',
  'pressure_memory_percent',
  'pressure_io_percent',
  'throttled_percent',
  'processes',
] as const;
export type Column = (typeof COLUMNS)[number];

/** The time line of a box, or of a job as a whole. */
export type TimeLine = Pick<Series, 'time_ms' | 'columns'>;

/** One of the ways in which the boxes of a job have ended. */
export type JobEnd = JobView['ends'][number];

/** A path of the API with its parameters, below the page's own address. Empty parameters are left out. */
export function apiPath(
  parts: readonly string[],
  params: Readonly<Record<string, string | number | null | undefined>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, `${value}`);
  }
  const text = query.toString();
  return `${API_PREFIX.slice(1)}/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}
