/** What a job uses now and has used in all, against what it asked for. */
import type { JSX } from 'preact';
import type { BoxRow, JobView } from '../../model/api.js';
import { cores, count, percent, rate, roundSpan, size, span, spanInWords } from '../data/figures.js';
import { Meter } from './meter.js';
import { Fact } from './words.js';

export function JobSummary({ job, rows }: { readonly job: JobView; readonly rows: readonly BoxRow[] }): JSX.Element {
  const live = rows.filter(({ state }) => state !== 'ended');
  const over = live.length === 0;
  const cpuLimit = sumOrNull(rows, 'cpu_limit_cores');
  const memoryLimit = sumOrNull(rows, 'memory_limit_bytes');
  const memory = sum(over ? rows : live, over ? 'memory_peak_bytes' : 'memory_bytes');
  const longest = rows.reduce((most, row) => ((row.elapsed_ms ?? 0) > (most?.elapsed_ms ?? -1) ? row : most), rows[0]);
  const cpuSec = sum(rows, 'cpu_sec');
  const average = over ? sum(rows, 'cpu_average_percent') : sum(live, 'cpu_percent');
  const oom = sum(rows, 'oom_kills');
  return (
    <dl class="summary card" aria-label="Use">
      <Fact name={over ? 'CPU, on average' : 'CPU now'}>
        <Meter
          kind="cpu"
          calm
          used={average / 100}
          limit={cpuLimit}
          text={`${cores(average)} cores`}
          limitText={cpuLimit === null ? '' : `of ${Math.round(cpuLimit * 100) / 100}`}
        />
        <small class="under">
          {spanInWords(cpuSec * 1000)} of CPU time
          {job.cpu_efficiency_percent === null ? '' : `, ${percent(job.cpu_efficiency_percent)} of what it had`}
        </small>
      </Fact>
      <Fact name={over ? 'Memory, at most' : 'Memory now'}>
        <Meter
          kind="memory"
          used={memory}
          limit={memoryLimit}
          peak={rows.length === 1 ? (rows[0]?.memory_peak_bytes ?? null) : null}
          text={size(memory)}
          limitText={memoryLimit === null ? 'no limit' : `of ${size(memoryLimit)}`}
        />
        <small class="under">
          {rows.length === 1
            ? `at most ${size(rows[0]?.memory_peak_bytes)}`
            : `the largest box at most ${size(most(rows, 'memory_peak_bytes'))}`}
          {oom > 0 && <b class="alarm">{`, ${count(oom)} killed by the kernel`}</b>}
        </small>
      </Fact>
      <Fact name="Time">
        <Meter
          kind="time"
          used={longest?.elapsed_ms ?? null}
          limit={longest?.time_limit_ms ?? null}
          text={span(longest?.elapsed_ms)}
          limitText={longest?.time_limit_ms == null ? 'no limit' : `of ${roundSpan(longest.time_limit_ms)}`}
        />
        <small class="under">
          {longest?.time_limit_ms == null || over
            ? 'wall clock'
            : `${span(Math.max(0, longest.time_limit_ms - (longest.elapsed_ms ?? 0)))} left`}
        </small>
      </Fact>
      <Fact
        name={over ? 'Read' : 'Read now'}
        small={over ? `${size(sum(rows, 'stdout_bytes'))} of output` : `${size(sum(rows, 'read_bytes'))} in all`}
      >
        {over ? size(sum(rows, 'read_bytes')) : rate(sum(live, 'read_bytes_per_sec'))}
      </Fact>
      <Fact name={over ? 'Written' : 'Written now'} small={over ? '' : `${size(sum(rows, 'write_bytes'))} in all`}>
        {over ? size(sum(rows, 'write_bytes')) : rate(sum(live, 'write_bytes_per_sec'))}
      </Fact>
      <Fact name={over ? 'Boxes' : 'Processes'}>
        {over ? count(rows.length) : count(sum(live, 'processes'))}
        <small class="under">
          {over
            ? `on ${count(job.hosts.length)} ${job.hosts.length === 1 ? 'host' : 'hosts'}`
            : `${count(sum(live, 'threads'))} threads`}
        </small>
      </Fact>
    </dl>
  );
}

type Figure = { [Key in keyof BoxRow]: BoxRow[Key] extends number | null ? Key : never }[keyof BoxRow];

function sum(rows: readonly BoxRow[], key: Figure): number {
  return rows.reduce((total, row) => total + (row[key] ?? 0), 0);
}

function most(rows: readonly BoxRow[], key: Figure): number {
  return rows.reduce((highest, row) => Math.max(highest, row[key] ?? 0), 0);
}

/** Null where one of them has none: a sum of some limits would look like the limit of all. */
function sumOrNull(rows: readonly BoxRow[], key: Figure): number | null {
  return rows.length > 0 && rows.every((row) => row[key] !== null) ? sum(rows, key) : null;
}
