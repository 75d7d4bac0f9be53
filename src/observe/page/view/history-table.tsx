/** Boxes of the store. */
import type { JSX } from 'preact';
import type { BoxRow } from '../../model/api.js';
import { when } from '../data/clock.js';
import { cores, size, span } from '../data/figures.js';
import { HostLink, jobAddress, Name, State, shortPart, UserLink } from './words.js';

export function HistoryTable({ rows }: { readonly rows: readonly BoxRow[] }): JSX.Element {
  const now = Date.now();
  return (
    <div class="card scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Ended</th>
            <th scope="col">Job</th>
            <th scope="col" class="opt">
              User
            </th>
            <th scope="col" class="opt">
              Host
            </th>
            <th scope="col">Reason</th>
            <th scope="col" class="right opt">
              Ran
            </th>
            <th scope="col" class="right opt">
              Cores used
            </th>
            <th scope="col" class="right">
              Memory peak
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.box} row={row} now={now} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, now }: { readonly row: BoxRow; readonly now: number }): JSX.Element {
  const inJob = shortPart(row);
  return (
    <tr title={row.why ?? undefined}>
      <td class="number">{row.state === 'ended' ? when(row.ended_ms, now) : 'runs'}</td>
      <td>
        <a class="mono" href={jobAddress(row)}>
          <Name text={row.job} />
        </a>
        {inJob !== '' && <span class="faint mono"> {inJob}</span>}
        <span class="narrow-only faint">
          <Name text={row.user} /> · <Name text={row.host} />
        </span>
      </td>
      <td class="opt">
        <UserLink user={row.user} />
      </td>
      <td class="opt">
        <HostLink host={row.host} />
      </td>
      <td>
        <State row={row} />
      </td>
      <td class="right opt">{span(row.elapsed_ms)}</td>
      <td class="right opt">
        {cores(row.cpu_average_percent)}
        {row.cpu_limit_cores !== null && <span class="faint"> of {row.cpu_limit_cores}</span>}
      </td>
      <td class="right">
        {size(row.memory_peak_bytes)}
        {row.memory_limit_bytes !== null && <span class="faint opt"> of {size(row.memory_limit_bytes)}</span>}
      </td>
    </tr>
  );
}
