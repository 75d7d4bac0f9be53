/** What the store holds: a search over the boxes that have ended, and those that run. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { BoxRow, HistoryPage } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { address, type Params } from '../data/route.js';
import { parseSearch } from '../data/search.js';
import { ApiFailure, getJson } from './fetch.js';
import { HistoryTable } from './history-table.js';
import { replaceAddress, useSearchText } from './use.js';
import { Empty, Failure, REASON_NAMES, reasonWord } from './words.js';

const PAGE_ROWS = 100;
/** Who needs more rows narrows the search: the browser should not hold a store. */
const ROWS_MAX = 1000;
const HOUR_MS = 3_600_000;

const TIMES: readonly (readonly [string, string, number])[] = [
  ['', 'At any time', 0],
  ['1h', 'Last hour', HOUR_MS],
  ['24h', 'Last 24 hours', 24 * HOUR_MS],
  ['7d', 'Last 7 days', 168 * HOUR_MS],
  ['30d', 'Last 30 days', 720 * HOUR_MS],
];

export function HistoryScreen({ params }: { readonly params: Params }): JSX.Element {
  const [text, settled, setText] = useSearchText(params['q'] ?? '', 250, (q) => go({ q }));
  const go = (change: Record<string, string>) =>
    replaceAddress(address(['history'], { ...params, q: settled, ...change }));
  const found = useHistory(params);
  return (
    <>
      <div class="screen-head">
        <h1>History</h1>
      </div>
      <div class="tools">
        <label class="search">
          <span class="hidden">Search the history</span>
          <input
            type="search"
            class="field"
            placeholder="Beginning of a job, user, host or box … or user:alice"
            spellcheck={false}
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Choice label="Reason" value={params['reason'] ?? ''} onChange={(reason) => go({ reason })}>
          {[['', 'Any reason'], ...REASON_NAMES.map((name) => [name, reasonWord(name)])]}
        </Choice>
        <Choice label="Time" value={params['time'] ?? ''} onChange={(time) => go({ time })}>
          {TIMES.map(([key, title]) => [key, title])}
        </Choice>
        <Fixed params={params} />
      </div>
      {found.failure !== null ? (
        <Failure title="The history cannot be shown" text={found.failure.message} again={found.again} />
      ) : found.rows === null ? (
        <Empty title="Loading …" />
      ) : found.rows.length === 0 ? (
        <Empty title="Nothing matches">
          <p>The store keeps end reports for good, and time lines for as long as the collector’s options say.</p>
        </Empty>
      ) : (
        <HistoryTable rows={found.rows} />
      )}
      <More {...found} />
    </>
  );
}

function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly children: readonly (readonly (string | undefined)[])[];
}): JSX.Element {
  return (
    <label>
      <span class="hidden">{props.label}</span>
      <select class="field" value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.children.map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What a link has narrowed the history to. */
function Fixed({ params }: { readonly params: Params }): JSX.Element | null {
  const fixed = (['user', 'host', 'job'] as const).filter((field) => params[field] !== undefined);
  if (fixed.length === 0) return null;
  return (
    <div class="chips">
      {fixed.map((field) => (
        <a
          key={field}
          class="chip"
          href={address(['history'], { ...params, [field]: undefined })}
          aria-label={`Remove ${field} ${params[field]}`}
        >
          {field} {params[field]} ×
        </a>
      ))}
    </div>
  );
}

interface Found {
  readonly rows: readonly BoxRow[] | null;
  readonly failure: ApiFailure | null;
  readonly next: string | null;
  readonly more: () => void;
  readonly again: () => void;
}

function More({ rows, next, more }: Found): JSX.Element | null {
  if (rows === null || next === null) return null;
  if (rows.length >= ROWS_MAX)
    return <p class="more faint">{`The latest ${ROWS_MAX} boxes. A narrower search finds older ones.`}</p>;
  return (
    <p class="more">
      <button type="button" class="button" onClick={more}>
        Older ones
      </button>
    </p>
  );
}

function useHistory(params: Params): Found {
  const [state, setState] = useState<{
    key: string;
    rows: readonly BoxRow[] | null;
    next: string | null;
    failure: ApiFailure | null;
  }>({
    key: '',
    rows: null,
    next: null,
    failure: null,
  });
  const [round, setRound] = useState(0);
  const key = JSON.stringify(params);
  const pathAfter = (cursor: string | null) => {
    const spanMs = TIMES.find(([name]) => name === params['time'])?.[2] ?? 0;
    const { state: _state, silent: _silent, ...search } = parseSearch(params['q'] ?? '');
    const { user, host, job, reason } = params;
    const from = spanMs === 0 ? undefined : Date.now() - spanMs;
    return apiPath(['history'], { user, host, job, reason, ...search, from, cursor, limit: PAGE_ROWS });
  };
  const load = (before: readonly BoxRow[], cursor: string | null, signal: AbortSignal) =>
    getJson<HistoryPage>(pathAfter(cursor), signal).then(
      (page) => !signal.aborted && setState({ key, rows: [...before, ...page.rows], next: page.next, failure: null }),
      (error) => {
        if (error instanceof ApiFailure && !signal.aborted)
          setState({ key, rows: before.length > 0 ? before : null, next: cursor, failure: error });
      },
    );
  // Another search, or the same once more.
  useEffect(() => {
    const abort = new AbortController();
    void load([], null, abort.signal);
    return () => abort.abort();
  }, [key, round]);
  const mine = state.key === key;
  return {
    rows: mine ? state.rows : null,
    failure: mine ? state.failure : null,
    next: mine ? state.next : null,
    more: () => void load(state.rows ?? [], state.next, new AbortController().signal),
    again: () => setRound((number) => number + 1),
  };
}
