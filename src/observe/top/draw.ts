import { bytes, counted } from '../../options/amounts.js';
import { shortSize } from '../../options/short-amounts.js';
import { filterText } from '../source/filter.js';
import { cellText } from '../terminal/cells.js';
import type { Look } from '../terminal/look.js';
import type { Size } from '../terminal/screen.js';
import { line, type Span, type Style } from '../terminal/style.js';
import { cell, type Placed, percent, place, rate } from './columns.js';
import { detailLines } from './details.js';
import { helpLines } from './help.js';
import { jobName, type TopRow } from './row.js';
import type { Tracked } from './tracked.js';
import { cursorOf, type Question, scrollFor, type View } from './view.js';

/** Draws the screen: a head, the table or another page, and a line at the bottom. */

export interface Scene {
  readonly view: View;
  /** In their order, after the filters. */
  readonly rows: readonly TopRow[];
  /** Boxes that the filters hide. */
  readonly hidden: number;
  /** The selected box, for its page. */
  readonly box: Tracked | undefined;
  readonly source: { readonly text: string; readonly isError: boolean };
  /** The filters of the command line, in words. */
  readonly given: string;
  readonly clock: string;
}

/** Below this height the head is one line. */
const LOW_ROWS = 14;

/** Rows or lines that the middle of a screen of this height holds. */
export function bodyHeight({ rows }: Size): number {
  return Math.max(1, rows - headHeight(rows) - 2);
}

function headHeight(rows: number): number {
  return rows < LOW_ROWS ? 1 : 3;
}

export interface Drawn {
  readonly lines: readonly string[];
  /** To be given to the next call, so that the columns stand still. */
  readonly placed: readonly Placed[];
}

export function draw(scene: Scene, size: Size, look: Look, placed: readonly Placed[] = []): Drawn {
  const height = bodyHeight(size);
  const { view } = scene;
  const head = headOf(scene, size, look);
  if (view.page === 'table') {
    const table = tableOf(scene, size.columns, height, look, placed);
    return {
      lines: [...head, ...table.lines, bottom(scene, size.columns, look)].slice(-size.rows),
      placed: table.placed,
    };
  }
  const all =
    view.page === 'help'
      ? helpLines()
      : detailLines(
          scene.box,
          scene.rows.find(({ box }) => box === view.selected),
          look,
        );
  const from = Math.max(0, Math.min(view.scroll, all.length - height));
  const shown = all.slice(from, from + height).map((spans) => line(spans, size.columns, look));
  const blank = Array.from({ length: height - shown.length }, () => line([], size.columns, look));
  const more =
    all.length > height ? ` lines ${from + 1} to ${Math.min(all.length, from + height)} of ${all.length}` : '';
  const title = line([{ text: `${view.page === 'help' ? 'Keys' : 'One box'}${more}` }], size.columns, look, 'heading');
  return { lines: [...head, title, ...shown, ...blank, bottom(scene, size.columns, look)].slice(-size.rows), placed };
}

function headOf(
  { view, rows, hidden, source, clock, given }: Scene,
  { columns, rows: height }: Size,
  look: Look,
): string[] {
  const states = statesOf(rows);
  const first: Span[] = [
    { text: `proc_box top ${clock}  `, style: 'bold' },
    { text: `${counted(rows.length, 'box', 'boxes')}${hidden > 0 ? ` of ${rows.length + hidden}` : ''}` },
    { text: states === '' ? '' : `: ${states}` },
    ...(view.paused ? [{ text: '  PAUSED', style: 'notice' as const }] : []),
  ];
  const status: Span = { text: cellText(source.text, look.utf8), ...(source.isError && { style: 'alarm' as const }) };
  if (headHeight(height) === 1) return [line(source.isError ? [status] : first, columns, look)];
  const filter = cellText([given, filterText(view.filter)].filter((text) => text !== '').join(' '), look.utf8);
  const order = `by ${view.sort}${view.reversed ? ', reversed' : ''}${filter === '' ? '' : `, only ${filter}`}  `;
  return [
    line(first, columns, look),
    line(totals(rows), columns, look),
    line([{ text: order, style: 'dim' }, status], columns, look),
  ];
}

function statesOf(rows: readonly TopRow[]): string {
  const counts = new Map<string, number>();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  return ['running', 'suspended', 'stopping', 'starting', 'silent', 'ended']
    .flatMap((state) => (counts.has(state) ? [`${counts.get(state)} ${state}`] : []))
    .join(', ');
}

function totals(rows: readonly TopRow[]): Span[] {
  const sum = (value: (row: TopRow) => number | null) => rows.reduce((total, row) => total + (value(row) ?? 0), 0);
  const live = rows.filter(({ state }) => state !== 'ended');
  const memory = live.reduce((total, row) => total + (row.memory ?? 0), 0);
  return [
    { text: `CPU ${percent(sum((row) => row.cpu_percent))} %  memory ${bytes(memory)}  ` },
    { text: `read ${rate(sum((row) => row.read_rate))}/s  write ${rate(sum((row) => row.write_rate))}/s` },
  ];
}

function tableOf(scene: Scene, width: number, height: number, look: Look, before: readonly Placed[]) {
  const { view, rows } = scene;
  const from = scrollFor(view, { rows, height });
  const visible = rows.slice(from, from + height);
  const placed = place(visible, width, look, before);
  const heading = placed.map(({ column, width: cells }) => {
    const mark = column.sort === view.sort ? (view.reversed ? '<' : '>') : '';
    const title = (mark + column.title).slice(0, cells);
    return column.right ? title.padStart(cells) : title.padEnd(cells);
  });
  const cursor = cursorOf(view, rows) - from;
  const lines = visible.map((row, index) =>
    rowLine(placed, row, width, look, index === cursor ? 'selected' : undefined),
  );
  const blank = Array.from({ length: height - visible.length }, (_, index) =>
    line(index === 0 && rows.length === 0 ? [{ text: emptyText(scene), style: 'dim' }] : [], width, look),
  );
  return { lines: [line([{ text: heading.join(' ') }], width, look, 'heading'), ...lines, ...blank], placed };
}

function emptyText({ hidden }: Scene): string {
  return hidden > 0 ? `no box matches: Esc shows all ${hidden}` : 'no box yet: each one appears with its next sample';
}

function rowLine(placed: readonly Placed[], row: TopRow, width: number, look: Look, over: Style | undefined): string {
  const faded = row.state === 'ended' || row.state === 'silent';
  const spans = placed.map((one, index): Span => {
    const style = faded ? 'dim' : (one.column.style?.(row) ?? 'plain');
    return { text: `${index > 0 ? ' ' : ''}${cell(one, row, look)}`, style };
  });
  return line(spans, width, look, over);
}

function bottom({ view }: Scene, width: number, look: Look): string {
  if (view.question !== null) return line([{ text: questionText(view.question, look) }], width, look, 'question');
  if (view.prompt !== null) {
    const typed = cellText(view.prompt.text, look.utf8);
    // The end of what is typed stays in sight.
    const room = Math.max(1, width - Math.min(view.prompt.label.length, width >> 1) - 1);
    const label = view.prompt.label.length + typed.length < width ? view.prompt.label : 'Show: ';
    return line([{ text: label, style: 'bold' }, { text: typed.slice(-room) }, { text: '_' }], width, look);
  }
  if (view.message !== null) {
    const { text, isError } = view.message;
    return line([{ text: cellText(text, look.utf8), style: isError ? 'alarm' : 'bold' }], width, look);
  }
  const keys =
    view.page === 'table'
      ? 'Enter details  k kill  s suspend  r resume  / filter  <> sort  h help  q quit'
      : 'q back  up/down scroll';
  return line([{ text: keys, style: 'dim' }], width, look);
}

/** The answer comes first on a narrow screen: what it is about must not be cut off in front of it. */
export function questionText({ action, row, ofJob }: Question, { utf8 }: Look): string {
  const verb = { kill: 'Kill', suspend: 'Suspend', resume: 'Resume' }[action];
  const all = ofJob > 1 ? `, j=all ${ofJob} boxes of the job` : '';
  const memory = row.memory === null ? '' : `, ${shortSize(row.memory)}`;
  const what = `${cellText(jobName(row), utf8)} of ${cellText(row.user, utf8)} on ${cellText(row.host, utf8)}`;
  return `${verb}? y=yes${all}, else no: ${what}${memory}, box ${cellText(row.box, utf8)}`;
}
