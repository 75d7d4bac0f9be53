// biome-ignore-all lint/a11y/useSemanticElements: a table of 40,000 rows of which some 30 exist cannot be a <table>
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and aria-activedescendant names the row
/** The head of a long table: a button for each column that sorts; on a narrow screen a choice of them. */
import type { ComponentChildren, JSX } from 'preact';

export interface Column<Row> {
  /** Names the order, in addresses too. */
  readonly key: string;
  readonly title: string;
  /** A track of CSS grid, such as `90px` or `minmax(120px, 1.4fr)`. */
  readonly width: string;
  readonly align?: 'right';
  readonly cell: (row: Row) => ComponentChildren;
  /** Where the first click begins: figures with the largest, names with the smallest. Absent: the column does not sort. */
  readonly begins?: 'up' | 'down';
  /** Says more than the title. */
  readonly hint?: string;
}

export interface Sorting {
  readonly by: string;
  readonly descending: boolean;
  readonly change: (by: string, descending: boolean) => void;
}

interface Props<Row> {
  readonly columns: readonly Column<Row>[];
  readonly sorting: Sorting;
  readonly template: string;
  readonly narrow: boolean;
}

export function Header<Row>({ columns, sorting, template, narrow }: Props<Row>): JSX.Element {
  if (narrow) return <NarrowHeader columns={columns} sorting={sorting} />;
  return (
    <div class="row head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
      {columns.map((column) => (
        <Title key={column.key} column={column} sorting={sorting} />
      ))}
    </div>
  );
}

function Title<Row>({ column, sorting }: { readonly column: Column<Row>; readonly sorting: Sorting }): JSX.Element {
  const mine = sorting.by === column.key;
  const order = mine ? (sorting.descending ? 'descending' : 'ascending') : undefined;
  return (
    <div role="columnheader" class={`cell ${column.align ?? ''}`} aria-sort={order} title={column.hint}>
      {column.begins === undefined ? (
        <span class="title">{column.title}</span>
      ) : (
        <button
          type="button"
          class={`title${mine ? ' chosen' : ''}`}
          onClick={() => sorting.change(column.key, mine ? !sorting.descending : column.begins === 'down')}
        >
          {column.title}
          <span class="arrow" aria-hidden="true">
            {mine ? (sorting.descending ? '▼' : '▲') : ''}
          </span>
        </button>
      )}
    </div>
  );
}

function NarrowHeader<Row>({ columns, sorting }: Pick<Props<Row>, 'columns' | 'sorting'>): JSX.Element {
  const sorted = columns.filter((column) => column.begins !== undefined);
  return (
    <div class="head-narrow" role="row" aria-rowindex={1}>
      <div role="columnheader">
        <label>
          Sort by{' '}
          <select
            class="field"
            value={sorting.by}
            onChange={(event) => {
              const column = sorted.find(({ key }) => key === event.currentTarget.value);
              if (column !== undefined) sorting.change(column.key, column.begins === 'down');
            }}
          >
            {sorted.map(({ key, title }) => (
              <option key={key} value={key}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="button" onClick={() => sorting.change(sorting.by, !sorting.descending)}>
          {sorting.descending ? 'Largest first' : 'Smallest first'}
        </button>
      </div>
    </div>
  );
}
