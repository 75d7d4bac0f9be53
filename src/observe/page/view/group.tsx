/** All users or hosts, and the screen of one of them: its sums, its jobs, its boxes, and what ended before. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { printable } from '../../../text.js';
import type { BoxTotals, GroupRow, GroupView, HistoryPage } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { cores, count, percent, rate, share, size } from '../data/figures.js';
import { orderText, parseOrder } from '../data/order.js';
import { address, type Params } from '../data/route.js';
import { ApiFailure, useFetched } from './fetch.js';
import { HistoryTable } from './history-table.js';
import { JobsTable } from './jobs-table.js';
import { DEFAULT_ORDER, LiveBoxes, ORDER_KEYS } from './live-boxes.js';
import { replaceAddress } from './use.js';
import { Empty, Fact, Failure } from './words.js';

type Kind = 'users' | 'hosts';

interface Props {
  readonly name: string;
  readonly params: Params;
}

const REFRESH_MS = 5000;

export function UserScreen(props: Props): JSX.Element {
  return <Group {...props} kind="users" />;
}

export function HostScreen(props: Props): JSX.Element {
  return <Group {...props} kind="hosts" />;
}

function Group({ kind, name, params }: Props & { readonly kind: Kind }): JSX.Element {
  const { data, failure } = useFetched<GroupView>(apiPath([kind, name]), REFRESH_MS);
  const field = kind === 'users' ? 'user' : 'host';
  const past = useFetched<HistoryPage>(apiPath(['history'], { [field]: name, limit: 10 }));
  const [totals, setTotals] = useState<BoxTotals | null>(null);
  const order = parseOrder(params['sort'], ORDER_KEYS, DEFAULT_ORDER);
  // Somebody without a box at the moment is not known, and may have a history.
  const absent = failure instanceof ApiFailure && failure.status === 404;
  if (failure !== null && !absent && data === null)
    return <Failure title="There is nothing to show" text={failure.message} />;
  return (
    <>
      <div class="screen-head">
        <div>
          <div class="crumb">
            <a href={address([kind])}>{kind === 'users' ? 'Users' : 'Hosts'}</a>
          </div>
          <h1>{printable(name)}</h1>
        </div>
      </div>
      <GroupSummary totals={absent ? null : (totals ?? data?.totals ?? null)} kind={kind} />
      {!absent && data !== null && data.jobs.length > 0 && (
        <section class="section">
          <h2>Jobs</h2>
          <JobsTable jobs={data.jobs} withUser={kind === 'hosts'} />
        </section>
      )}
      <section class="section">
        <h2>Boxes</h2>
        <LiveBoxes
          label={`Boxes of ${printable(name)}`}
          search={{ [field]: name }}
          order={order}
          onOrder={(next) => replaceAddress(address([kind, name], { sort: orderText(next) }))}
          onTotals={setTotals}
          none={
            <Empty
              title={kind === 'users' ? 'This user has no box at the moment' : 'This host has no box at the moment'}
            />
          }
        />
      </section>
      <section class="section">
        <h2>Ended before</h2>
        {past.data !== null && past.data.rows.length > 0 ? (
          <>
            <HistoryTable rows={past.data.rows} />
            <p class="more">
              <a class="button" href={address(['history'], { [field]: name })}>
                Full history
              </a>
            </p>
          </>
        ) : (
          <Empty title={past.data === null ? '…' : 'Nothing in the store'} />
        )}
      </section>
    </>
  );
}

function GroupSummary({ totals, kind }: { readonly totals: BoxTotals | null; readonly kind: Kind }): JSX.Element {
  const part = totals === null ? null : share(totals.memory_bytes, totals.memory_limit_bytes);
  return (
    <dl class="summary card" aria-label="All boxes together">
      <Fact name="Boxes">{count(totals?.boxes ?? 0)}</Fact>
      <Fact name="Jobs">{count(totals?.jobs ?? 0)}</Fact>
      <Fact name={kind === 'users' ? 'Hosts' : 'Users'}>
        {count((kind === 'users' ? totals?.hosts : totals?.users) ?? 0)}
      </Fact>
      <Fact name="CPU" small="cores busy">
        {cores(totals?.cpu_percent ?? 0)}
      </Fact>
      <Fact name="Memory" small={part === null ? '' : `${percent(part * 100)} of the limits`}>
        {size(totals?.memory_bytes ?? 0)}
      </Fact>
      <Fact name="Read" small={`${rate(totals?.write_bytes_per_sec ?? 0)} written`}>
        {rate(totals?.read_bytes_per_sec ?? 0)}
      </Fact>
    </dl>
  );
}

/** The list of all users or hosts, the greediest first. */
export function GroupsScreen({ kind }: { readonly kind: Kind }): JSX.Element {
  const { data, failure, again } = useFetched<readonly GroupRow[]>(apiPath([kind]), REFRESH_MS);
  const title = kind === 'users' ? 'Users' : 'Hosts';
  if (failure !== null && data === null)
    return <Failure title={`${title} cannot be shown`} text={failure.message} again={again} />;
  return (
    <>
      <div class="screen-head">
        <h1>{title}</h1>
      </div>
      {data === null || data.length === 0 ? (
        <Empty title={data === null ? 'Loading …' : 'No box is running'} />
      ) : (
        <GroupsTable rows={data} kind={kind} />
      )}
    </>
  );
}

/** More rows than anybody reads; the search of the boxes finds the rest. */
const ROWS_MAX = 500;

function GroupsTable({ rows, kind }: { readonly rows: readonly GroupRow[]; readonly kind: Kind }): JSX.Element {
  return (
    <div class="card scroll">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{kind === 'users' ? 'User' : 'Host'}</th>
            <th scope="col" class="right">
              Boxes
            </th>
            <th scope="col" class="right opt">
              Jobs
            </th>
            <th scope="col" class="right">
              Cores busy
            </th>
            <th scope="col" class="right">
              Memory
            </th>
            <th scope="col" class="right opt">
              Limits
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map((row) => (
            <tr key={row.name}>
              <td>
                <a href={address([kind, row.name])}>{printable(row.name)}</a>
              </td>
              <td class="right">{count(row.boxes)}</td>
              <td class="right opt">{count(row.jobs)}</td>
              <td class="right">{cores(row.cpu_percent)}</td>
              <td class="right">{size(row.memory_bytes)}</td>
              <td class="right opt">{row.memory_limit_bytes === 0 ? '–' : size(row.memory_limit_bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_MAX && (
        <p class="more faint">{`The ${ROWS_MAX} with the most memory of ${count(rows.length)}`}</p>
      )}
    </div>
  );
}
