// biome-ignore-all lint/a11y/useSemanticElements: a table of 40,000 rows of which some 30 exist cannot be a <table>
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and aria-activedescendant names the row
/** The columns of a table of boxes. */
import type { ComponentChildren, JSX } from 'preact';
import type { BoxRow } from '../../model/api.js';
import { cores, percent, rate, roundSpan, size, span, UNKNOWN } from '../data/figures.js';
import { Meter } from './meter.js';
import type { Column } from './table.js';
import { HostLink, jobAddress, Name, State, shortPart, UserLink } from './words.js';

export const BOX_COLUMNS: readonly Column<BoxRow>[] = [
  { key: 'state', title: 'State', width: '128px', begins: 'up', cell: (row) => <State row={row} /> },
  { key: 'job', title: 'Job', width: 'minmax(110px, 1.25fr)', begins: 'up', cell: (row) => <Job row={row} /> },
  {
    key: 'user',
    title: 'User',
    width: 'minmax(70px, .8fr)',
    begins: 'up',
    cell: (row) => <UserLink user={row.user} />,
  },
  {
    key: 'host',
    title: 'Host',
    width: 'minmax(80px, .9fr)',
    begins: 'up',
    cell: (row) => <HostLink host={row.host} />,
  },
  {
    key: 'cpu_percent',
    title: 'CPU',
    width: 'minmax(100px, 1fr)',
    begins: 'down',
    hint: 'Cores in use since the last sample, out of the limit',
    cell: (row) => <Cpu row={row} />,
  },
  {
    key: 'memory_bytes',
    title: 'Memory',
    width: 'minmax(140px, 1.5fr)',
    begins: 'down',
    hint: 'Memory now, out of the limit; the mark in the bar shows the peak',
    cell: (row) => <Memory row={row} />,
  },
  {
    key: 'read_bytes_per_sec',
    title: 'Read',
    width: '92px',
    align: 'right',
    begins: 'down',
    cell: (row) => quiet(rate(row.read_bytes_per_sec)),
  },
  {
    key: 'write_bytes_per_sec',
    title: 'Written',
    width: '92px',
    align: 'right',
    begins: 'down',
    cell: (row) => quiet(rate(row.write_bytes_per_sec)),
  },
  {
    key: 'pressure_memory_percent',
    title: 'Pressure',
    width: '86px',
    align: 'right',
    begins: 'down',
    hint: 'Memory pressure: percent of the last 10 s in which a task waited for memory',
    cell: (row) => <Pressure row={row} />,
  },
  {
    key: 'time_percent',
    title: 'Time',
    width: 'minmax(120px, 1fr)',
    begins: 'down',
    hint: 'Wall clock time used, out of the time limit',
    cell: (row) => <Time row={row} />,
  },
];

/** Columns that a screen of middle width has no room for. */
const WIDE_ONLY = new Set(['read_bytes_per_sec', 'write_bytes_per_sec', 'pressure_memory_percent']);
export const MIDDLE_COLUMNS = BOX_COLUMNS.filter(({ key }) => !WIDE_ONLY.has(key));

/** Two lines for a narrow screen. */
export function narrowBox(row: BoxRow): JSX.Element {
  return (
    <div role="gridcell">
      <div class="pair">
        <span>
          <Job row={row} />{' '}
          <span class="faint">
            <Name text={row.user} /> · <Name text={row.host} />
          </span>
        </span>
        <span class="keep">
          <State row={row} />
        </span>
      </div>
      <div class="narrow-figures">
        <Cpu row={row} />
        <Memory row={row} />
      </div>
    </div>
  );
}

function Job({ row }: { readonly row: BoxRow }): JSX.Element {
  const inJob = shortPart(row);
  return (
    <>
      <a class="mono" href={jobAddress(row)}>
        <Name text={row.job} />
      </a>
      {inJob !== '' && (
        <span class="faint mono" title="step and task">
          {' '}
          {inJob}
        </span>
      )}
    </>
  );
}

export function Cpu({ row }: { readonly row: BoxRow }): JSX.Element {
  const limit = row.cpu_limit_cores;
  return (
    <Meter
      kind="cpu"
      calm
      used={row.cpu_percent / 100}
      limit={limit}
      text={
        row.state === 'ended' ? UNKNOWN : limit === null ? `${cores(row.cpu_percent)} cores` : cores(row.cpu_percent)
      }
      limitText={limit === null ? '' : `of ${limit}`}
    />
  );
}

export function Memory({ row }: { readonly row: BoxRow }): JSX.Element {
  const ended = row.state === 'ended';
  return (
    <Meter
      kind="memory"
      used={ended ? row.memory_peak_bytes : row.memory_bytes}
      limit={row.memory_limit_bytes}
      peak={row.memory_peak_bytes}
      text={size(ended ? row.memory_peak_bytes : row.memory_bytes)}
      limitText={row.memory_limit_bytes === null ? (ended ? 'peak' : '') : `of ${size(row.memory_limit_bytes)}`}
    />
  );
}

export function Time({ row }: { readonly row: BoxRow }): JSX.Element {
  const limit = row.time_limit_ms;
  return (
    <Meter
      kind="time"
      used={row.elapsed_ms}
      limit={limit}
      text={span(row.elapsed_ms)}
      limitText={limit === null ? 'no limit' : `of ${roundSpan(limit)}`}
    />
  );
}

/** The highest of the three, and which it is. */
function Pressure({ row }: { readonly row: BoxRow }): ComponentChildren {
  const kinds = [
    ['CPU', row.pressure_cpu_percent],
    ['memory', row.pressure_memory_percent],
    ['I/O', row.pressure_io_percent],
  ] as const;
  const title = kinds.map(([name, value]) => `${name} ${percent(value)}`).join(', ');
  const memory = row.pressure_memory_percent;
  return (
    <span title={title} class={memory === null || memory < 0.05 ? 'faint' : ''}>
      {percent(memory)}
    </span>
  );
}

function quiet(text: string): JSX.Element {
  return <span class={text === '0' || text === UNKNOWN ? 'faint' : ''}>{text}</span>;
}
