/** The boxes of a job: hosts, steps and tasks. One of them can be looked at alone. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { BoxRow } from '../../model/api.js';
import { count, rate } from '../data/figures.js';
import { type Order, ordered } from '../data/order.js';
import { Cpu, Memory, Time } from './box-columns.js';
import { HostLink, Name, State, shortPart } from './words.js';

interface Props {
  readonly rows: readonly BoxRow[];
  /** Boxes of the job; the collector sends no more than it has room for. */
  readonly total: number;
  readonly chosen: string | null;
  readonly choose: (box: string | null) => void;
}

const FIRST_ROWS = 50;
const TITLES: readonly (readonly [string, string, (row: BoxRow) => number | string | null])[] = [
  ['part', 'Step.task', (row) => `${row.job} ${row.step ?? ''} ${row.task ?? ''}`],
  ['host', 'Host', (row) => row.host],
  ['state', 'State', (row) => row.reason ?? row.state],
  ['cpu', 'CPU', (row) => row.cpu_percent],
  ['memory', 'Memory', (row) => row.memory_bytes],
  ['io', 'Read + written', (row) => row.read_bytes_per_sec + row.write_bytes_per_sec],
  ['time', 'Time', (row) => row.elapsed_ms],
];

export function JobBoxes({ rows, total, chosen, choose }: Props): JSX.Element {
  const [order, setOrder] = useState<Order>({ by: 'part', descending: false });
  const [most, setMost] = useState(FIRST_ROWS);
  const key = TITLES.find(([name]) => name === order.by)?.[2] ?? (() => null);
  const list = ordered(rows, key, order.descending);
  const array = new Set(rows.map(({ job }) => job)).size > 1;
  return (
    <section class="section">
      <h2>
        {count(total)} boxes
        {rows.length < total ? <span class="faint">{`, the first ${count(rows.length)} of them`}</span> : ''}
      </h2>
      <div class="card scroll">
        <table class="plain boxes">
          <thead>
            <tr>
              {TITLES.map(([name, title]) => (
                <th
                  scope="col"
                  key={name}
                  aria-sort={order.by === name ? (order.descending ? 'descending' : 'ascending') : undefined}
                >
                  <button
                    type="button"
                    class="link"
                    onClick={() =>
                      setOrder({
                        by: name,
                        descending:
                          order.by === name
                            ? !order.descending
                            : name !== 'part' && name !== 'host' && name !== 'state',
                      })
                    }
                  >
                    {title} {order.by === name ? (order.descending ? '▾' : '▴') : ''}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {list.slice(0, most).map((row) => (
              <tr key={row.box} class={row.box === chosen ? 'chosen' : ''}>
                <td>
                  <button
                    type="button"
                    class="link mono"
                    aria-pressed={row.box === chosen}
                    onClick={() => choose(row.box === chosen ? null : row.box)}
                  >
                    {array ? <Name text={row.job} /> : ''} {shortPart(row) || (array ? '' : <Name text={row.box} />)}
                  </button>
                </td>
                <td>
                  <HostLink host={row.host} />
                </td>
                <td>
                  <State row={row} />
                </td>
                <td class="wide">
                  <Cpu row={row} />
                </td>
                <td class="wide">
                  <Memory row={row} />
                </td>
                <td class="right">{rate(row.read_bytes_per_sec + row.write_bytes_per_sec)}</td>
                <td class="wide">
                  <Time row={row} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {list.length > most && (
          <p class="more">
            <button type="button" class="button" onClick={() => setMost(most + 200)}>
              {`Show more of ${count(list.length)}`}
            </button>
          </p>
        )}
      </div>
    </section>
  );
}
