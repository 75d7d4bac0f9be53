// biome-ignore-all lint/a11y/useSemanticElements: a table of 40,000 rows of which some 30 exist cannot be a <table>
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and aria-activedescendant names the row
/** A long table whose rows exist only where they can be seen, steered by pointer and keyboard. */
import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { rowWindow } from '../data/window.js';
import { type Column, Header, type Sorting } from './table-head.js';

export type { Column, Sorting };

export interface TableProps<Row> {
  /** What the table shows, for those who hear it. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly count: number;
  /** The row at an index; undefined while it is on its way. */
  readonly rowAt: (index: number) => Row | undefined;
  readonly keyOf: (row: Row) => string;
  /** Where a click and Enter lead. */
  readonly addressOf: (row: Row) => string;
  readonly sorting: Sorting;
  /** A row as two lines for a narrow screen. */
  readonly narrow: (row: Row) => ComponentChildren;
  /** Tells which rows are on the screen, and whether somebody points at one, which is when rows should keep their places. */
  readonly onView?: (first: number, end: number) => void;
  readonly onPoint?: (pointing: boolean) => void;
}

const WIDE_ROW_PX = 40;
const NARROW_ROW_PX = 78;
/** Below this width rows have two lines; the style sheet has the same number. */
const NARROW = '(max-width: 760px)';

export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { columns, count, rowAt, keyOf, addressOf, sorting, narrow, onView, onPoint } = props;
  const id = useId();
  const narrowly = useMedia(NARROW);
  const height = narrowly ? NARROW_ROW_PX : WIDE_ROW_PX;
  const body = useRef<HTMLDivElement>(null);
  const { first, end } = useRowsInView(body, count, height);
  useEffect(() => onView?.(first, end), [onView, first, end]);
  const [active, onKeyDown, setActive] = useActiveRow(count, height, body, (index) => {
    const row = rowAt(index);
    if (row !== undefined) location.hash = addressOf(row);
  });
  const template = columns.map(({ width }) => width).join(' ');
  const rows = Array.from({ length: end - first }, (_, offset) => first + offset);
  return (
    <div
      class={`table card ${narrowly ? 'narrow' : 'wide'}`}
      role="grid"
      aria-label={props.label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active === null ? undefined : `${id}-${active}`}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onFocus={(event) => {
        if (event.target === event.currentTarget && active === null && count > 0)
          setActive(first + 8 < end && first > 0 ? first + 8 : 0);
      }}
      onBlur={() => setActive(null)}
      onPointerEnter={() => onPoint?.(true)}
      onPointerLeave={() => onPoint?.(false)}
    >
      <Header columns={columns} sorting={sorting} template={template} narrow={narrowly} />
      <div class="table-body" role="rowgroup" ref={body} style={{ height: `${count * height}px` }}>
        {rows.map((index) => {
          const row = rowAt(index);
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys
            <div
              key={row === undefined ? `at-${index}` : keyOf(row)}
              id={`${id}-${index}`}
              class={`row${index === active ? ' active' : ''}`}
              role="row"
              aria-rowindex={index + 2}
              style={{
                transform: `translateY(${index * height}px)`,
                height: `${height}px`,
                gridTemplateColumns: template,
              }}
              onClick={(event) => row !== undefined && follow(event, addressOf(row))}
            >
              {row === undefined ? (
                <Waiting />
              ) : narrowly ? (
                narrow(row)
              ) : (
                columns.map((column) => <Cell column={column} row={row} key={column.key} />)
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell<Row>({ column, row }: { readonly column: Column<Row>; readonly row: Row }): JSX.Element {
  return (
    <div role="gridcell" class={`cell ${column.align ?? ''}`}>
      {column.cell(row)}
    </div>
  );
}

function Waiting(): JSX.Element {
  return (
    <div role="gridcell" class="cell faint">
      …
    </div>
  );
}

/** A click on a row leads where its link does, unless it was on a link or button, or marked text. */
function follow(event: MouseEvent, target: string): void {
  if ((event.target as Element).closest('a, button') || String(getSelection()) !== '') return;
  if (event.ctrlKey || event.metaKey) open(target, '_blank', 'noopener');
  else location.hash = target;
}

/** The rows between the edges of the window; changes only when the window has moved by a row. */
function useRowsInView(body: { current: HTMLDivElement | null }, count: number, height: number) {
  const [view, setView] = useState({ first: 0, end: Math.min(count, 30) });
  const measure = useCallback(() => {
    const top = body.current === null ? 0 : -body.current.getBoundingClientRect().top;
    const next = rowWindow(count, height, top, innerHeight);
    setView((last) => (last.first === next.first && last.end === next.end ? last : next));
  }, [body, count, height]);
  useLayoutEffect(measure, [measure]);
  useEffect(() => {
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
    };
  }, [measure]);
  // Rows may have gone since the last measurement.
  return { first: Math.min(view.first, count), end: Math.min(view.end, count) };
}

/** The row that the keyboard is on: arrows, Page Up and Down, Home and End move it, Enter opens it. */
function useActiveRow(
  count: number,
  height: number,
  body: { current: HTMLDivElement | null },
  openRow: (index: number) => void,
): [number | null, (event: KeyboardEvent) => void, (index: number | null) => void] {
  const [active, setActive] = useState<number | null>(null);
  const page = Math.max(1, Math.floor(innerHeight / height) - 4);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = active ?? -1;
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: from + 1,
      j: from + 1,
      ArrowUp: from - 1,
      k: from - 1,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: count - 1,
    };
    const to = steps[event.key];
    if (event.key === 'Enter' && active !== null) openRow(active);
    else if (to === undefined || count === 0) return;
    else {
      const index = Math.min(Math.max(to, 0), count - 1);
      setActive(index);
      reveal(body.current, index, height);
    }
    event.preventDefault();
  };
  return [active === null ? null : Math.min(active, count - 1), onKeyDown, setActive];
}

/** Scrolls the window as little as is needed to show a row below the bars at the top. */
function reveal(body: HTMLDivElement | null, index: number, height: number): void {
  if (body === null) return;
  const bars = 54 + 40;
  const top = body.getBoundingClientRect().top + index * height;
  if (top < bars) scrollBy(0, top - bars);
  else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight + 8);
}

/** Whether a media query holds, now and later. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = () => setHolds(media.matches);
    media.addEventListener('change', changed);
    return () => media.removeEventListener('change', changed);
  }, [query]);
  return holds;
}
