/** The live table of boxes: the whole site's, or a user's or host's. */
import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { BoxPageDelta, BoxRow, BoxTotals } from '../../model/api.js';
import { apiPath } from '../data/api.js';
import { type Order, orderText } from '../data/order.js';
import { createRowWindow, WINDOW_ROWS, windowOffset } from '../data/row-window.js';
import type { Search } from '../data/search.js';
import { BOX_COLUMNS, MIDDLE_COLUMNS, narrowBox } from './box-columns.js';
import { WHOAMI } from './session.js';
import { useStream } from './stream.js';
import { Table, useMedia } from './table.js';
import { useSettled } from './use.js';
import { Empty, jobAddress } from './words.js';

interface Props {
  readonly search: Search;
  readonly order: Order;
  readonly onOrder: (order: Order) => void;
  readonly label: string;
  /** Where no box matches. */
  readonly none: JSX.Element;
  /** Gets the sums over everything that matches. */
  readonly onTotals?: (totals: BoxTotals, matching: number) => void;
}

export const DEFAULT_ORDER: Order = { by: 'memory_bytes', descending: true };
export const ORDER_KEYS: readonly string[] = BOX_COLUMNS.filter(({ begins }) => begins !== undefined).map(
  ({ key }) => key,
);

export function LiveBoxes(props: Props): JSX.Element {
  const { search, order, onOrder, onTotals } = props;
  const query = JSON.stringify([search, order]);
  // Another query begins with an empty window.
  const window = useMemo(createRowWindow, [query]);
  const [, redraw] = useState(0);
  const changed = useCallback(() => redraw((number) => number + 1), []);
  const [view, setView] = useState({ first: 0, end: 0 });
  const [offset, setOffset] = useState(0);
  const settled = useSettled(view, 60);
  useEffect(() => setOffset((now) => windowOffset(now, settled.first, settled.end)), [settled]);
  useStream(
    apiPath(['boxes', 'stream'], { ...search, sort: orderText(order), offset, limit: WINDOW_ROWS }),
    {
      page: (delta: BoxPageDelta) => {
        window.apply(delta);
        onTotals?.(delta.totals, delta.matching);
        changed();
      },
    },
    WHOAMI,
  );
  const middle = useMedia('(max-width: 1120px)');
  const onPoint = useCallback((pointing: boolean) => window.hold(pointing) && changed(), [window, changed]);
  const onView = useCallback((first: number, end: number) => setView({ first, end }), []);
  const count = window.count;
  if (count === 0) return props.none;
  if (count === null) return <Loading />;
  return (
    <Table
      label={props.label}
      columns={middle ? MIDDLE_COLUMNS : BOX_COLUMNS}
      count={count}
      rowAt={(index) => window.at(index)}
      keyOf={keyOf}
      addressOf={jobAddress}
      sorting={{ ...order, change: (by, descending) => onOrder({ by, descending }) }}
      narrow={narrowBox}
      onView={onView}
      onPoint={onPoint}
    />
  );
}

const keyOf = (row: BoxRow) => row.box;

function Loading(): JSX.Element {
  return (
    <Empty title="Loading …">
      <p>The page is waiting for the collector.</p>
    </Empty>
  );
}
