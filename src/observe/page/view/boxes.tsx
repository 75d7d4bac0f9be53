/** The first screen: every box that one may see. */
import type { JSX } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import type { BoxTotals } from '../../model/api.js';
import { cores, count, percent, rate, share, size } from '../data/figures.js';
import { orderText, parseOrder } from '../data/order.js';
import { address, type Params } from '../data/route.js';
import { parseSearch } from '../data/search.js';
import { DEFAULT_ORDER, LiveBoxes, ORDER_KEYS } from './live-boxes.js';
import { replaceAddress, useSearchText } from './use.js';
import { Empty, Fact } from './words.js';

const CHIPS: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ['', 'All', {}],
  ['running', 'Running', { state: 'running' }],
  ['suspended', 'Suspended', { state: 'suspended' }],
  ['silent', 'Silent', { silent: 'true' }],
  ['ended', 'Just ended', { state: 'ended' }],
];

export function Boxes({ params }: { readonly params: Params }): JSX.Element {
  const order = parseOrder(params['sort'], ORDER_KEYS, DEFAULT_ORDER);
  const chip = CHIPS.find(([key]) => key === params['show']) ?? CHIPS[0]!;
  const [text, settled, setText] = useSearchText(params['q'] ?? '', 200, (q) => go({ q }));
  const [sums, setSums] = useState<{ totals: BoxTotals; matching: number } | null>(null);
  const onTotals = useCallback((totals: BoxTotals, matching: number) => setSums({ totals, matching }), []);
  const go = (change: Record<string, string>) =>
    replaceAddress(address(['boxes'], { q: settled, show: chip[0], sort: orderText(order), ...change }));
  return (
    <>
      <h1 class="hidden">Boxes</h1>
      <Summary totals={sums?.totals ?? null} />
      <div class="tools">
        <label class="search">
          <span class="hidden">Search boxes</span>
          <input
            type="search"
            class="field"
            placeholder="Search job, user, host … or user:alice host:node1"
            spellcheck={false}
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
          />
        </label>
        <fieldset class="chips">
          <legend class="hidden">State</legend>
          {CHIPS.map(([key, title]) => (
            <button
              type="button"
              class="chip"
              key={key}
              aria-pressed={key === chip[0]}
              onClick={() => go({ show: key })}
            >
              {title}
            </button>
          ))}
        </fieldset>
        <output class="found">
          {sums === null ? '' : `${count(sums.matching)} ${sums.matching === 1 ? 'box' : 'boxes'}`}
        </output>
      </div>
      <LiveBoxes
        label="Boxes"
        search={{ ...parseSearch(params['q'] ?? ''), ...chip[2] }}
        order={order}
        onOrder={(next) => go({ sort: orderText(next) })}
        onTotals={onTotals}
        none={<None narrowed={(params['q'] ?? '') !== '' || chip[0] !== ''} />}
      />
    </>
  );
}

function Summary({ totals }: { readonly totals: BoxTotals | null }): JSX.Element {
  const of = totals === null ? null : share(totals.memory_bytes, totals.memory_limit_bytes);
  const suspended = totals?.by_state['suspended'] ?? 0;
  return (
    <dl class="summary card" aria-label="All boxes together">
      <Fact name="Boxes" small={suspended > 0 ? `${count(suspended)} suspended` : ''}>
        {count(totals?.boxes)}
      </Fact>
      <Fact
        name="Jobs"
        small={totals === null ? '' : `of ${count(totals.users)} ${totals.users === 1 ? 'user' : 'users'}`}
      >
        {count(totals?.jobs)}
      </Fact>
      <Fact name="Hosts">{count(totals?.hosts)}</Fact>
      <Fact name="CPU" small="cores busy">
        {cores(totals?.cpu_percent)}
      </Fact>
      <Fact name="Memory" small={of === null ? '' : `${percent(of * 100)} of the limits`}>
        {size(totals?.memory_bytes)}
      </Fact>
      <Fact name="Read" small={`${rate(totals?.write_bytes_per_sec)} written`}>
        {rate(totals?.read_bytes_per_sec)}
      </Fact>
    </dl>
  );
}

function None({ narrowed }: { readonly narrowed: boolean }): JSX.Element {
  if (narrowed) {
    return (
      <Empty title="No box matches">
        <p>
          Boxes that ended earlier are in the <a href={address(['history'])}>history</a>.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No box is running">
      <p>
        A box appears here within seconds after <code>proc_box ./job</code> has started it with this broker.
      </p>
    </Empty>
  );
}
