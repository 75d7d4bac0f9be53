/** The plots of a job or of one of its boxes. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { BoxRow } from '../../model/api.js';
import { COLUMNS, type Column } from '../data/api.js';
import { cores, percent, rate, size } from '../data/figures.js';
import type { Series } from '../data/series.js';
import { type Line, type Mark, Plot } from './plot.js';
import { Empty } from './words.js';

interface Props {
  readonly line: Series;
  /** Rises whenever the line has a new point. */
  readonly version: number;
  readonly rows: readonly BoxRow[];
  readonly marks: readonly Mark[];
}

interface Kind {
  readonly title: string;
  readonly lines: readonly (Line & { readonly column: Column | 'cpu_limit' })[];
  readonly format: (value: number) => string;
  readonly least?: number;
  readonly binary?: boolean;
  /** Left out where nothing is known of it. */
  readonly optional?: boolean;
}

const PRESSURE = 'Pressure, time spent waiting';

const KINDS: readonly Kind[] = [
  {
    title: 'CPU, cores busy',
    lines: [
      { name: 'used', colour: '--cpu', column: 'cpu_percent' },
      { name: 'limit', colour: '--ink-faint', limit: true, column: 'cpu_limit' },
    ],
    format: cores,
    least: 100,
  },
  {
    title: 'Memory',
    lines: [
      { name: 'used', colour: '--memory', column: 'memory_bytes' },
      { name: 'limit', colour: '--over', limit: true, column: 'memory_limit_bytes' },
    ],
    format: size,
    least: 1024 * 1024,
    binary: true,
  },
  {
    title: 'I/O with storage',
    lines: [
      { name: 'read', colour: '--input', column: 'read_bytes_per_sec' },
      { name: 'written', colour: '--output', column: 'write_bytes_per_sec' },
    ],
    format: (value) => (value === 0 ? '0' : rate(value)),
    least: 1024,
    binary: true,
  },
  {
    title: PRESSURE,
    lines: [
      { name: 'CPU', colour: '--cpu', column: 'pressure_cpu_percent' },
      { name: 'memory', colour: '--memory', column: 'pressure_memory_percent' },
      { name: 'I/O', colour: '--output', column: 'pressure_io_percent' },
    ],
    format: percent,
    least: 5,
    optional: true,
  },
  {
    title: 'Throttling by the CPU limit',
    lines: [{ name: 'held back', colour: '--near', column: 'throttled_percent' }],
    format: percent,
    least: 5,
    optional: true,
  },
];

export function JobPlots({ line, version, rows, marks }: Props): JSX.Element {
  const limit = cpuLimit(rows);
  if (line.times.length < 2) {
    return (
      <Empty
        title={rows.some(({ state }) => state !== 'ended') ? 'The plots begin with the second sample' : 'No time line'}
      >
        <p>
          {rows.some(({ state }) => state !== 'ended')
            ? 'They will appear automatically.'
            : 'The job was too short for one, or so old that the store no longer has it.'}
        </p>
      </Empty>
    );
  }
  return (
    <div class="plots">
      {KINDS.map((kind) => (
        <One
          key={kind.title}
          kind={kind}
          line={line}
          version={version}
          limit={limit}
          marks={marks}
          ofHost={rows.some((row) => row.pressure_scope === 'host')}
        />
      ))}
    </div>
  );
}

function One({
  kind,
  line,
  version,
  limit,
  marks,
  ofHost,
}: Pick<Props, 'line' | 'version' | 'marks'> & {
  readonly kind: Kind;
  readonly limit: number | null;
  readonly ofHost: boolean;
}) {
  // The version tells that the line has grown.
  const data = useMemo(
    () => ({
      times: line.times,
      values: kind.lines.map(({ column }) =>
        column === 'cpu_limit'
          ? line.times.map(() => (limit === null ? null : limit * 100))
          : (line.columns[COLUMNS.indexOf(column)] ?? []),
      ),
    }),
    [kind, line, version, limit],
  );
  if (kind.optional && data.values.every((values) => values.every((value) => value === null))) return null;
  const lines = kind.lines.filter((each, index) => !each.limit || data.values[index]?.some((value) => value !== null));
  return (
    <Plot
      title={kind.title === PRESSURE && ofHost ? `${PRESSURE}, of the whole host` : kind.title}
      lines={lines}
      data={{ times: data.times, values: lines.map((each) => data.values[kind.lines.indexOf(each)] ?? []) }}
      marks={marks}
      format={kind.format}
      binary={kind.binary === true}
      {...(kind.least === undefined ? {} : { least: kind.least })}
    />
  );
}

function cpuLimit(rows: readonly BoxRow[]): number | null {
  const limits = rows.map((row) => row.cpu_limit_cores);
  return limits.length > 0 && limits.every((limit) => limit !== null)
    ? limits.reduce((sum, limit) => sum + limit, 0)
    : null;
}
