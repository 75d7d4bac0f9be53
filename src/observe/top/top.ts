import { type Filter, filterText, fits } from '../source/filter.js';
import type { Key } from '../terminal/keys.js';
import type { Look } from '../terminal/look.js';
import { Terminal } from '../terminal/terminal.js';
import type { Placed } from './columns.js';
import { bodyHeight, draw, type Scene } from './draw.js';
import type { TopRow } from './row.js';
import { type SortKey, sorted } from './sort.js';
import type { Tracked } from './tracked.js';
import { type Action, type Effect, firstView, press, scrollFor, type View } from './view.js';

/** The live screen: draws what a source knows, and acts on keys. */

/** Where rows come from: the broker's messages, or a collector. */
export interface TopSource {
  rows(): readonly TopRow[];
  /** More about one box; undefined where there is nothing more. */
  details(row: TopRow): Tracked | undefined;
  /** What the user wants to see, for a source that need not know everything. */
  want?(sort: SortKey, reversed: boolean, filters: readonly Filter[]): void;
  /** How the link is, in one line. */
  state(): { readonly text: string; readonly isError: boolean };
}

export interface TopOptions {
  readonly source: TopSource;
  /** Of the command line. */
  readonly filter: Filter;
  readonly sort: SortKey;
  readonly reversed: boolean;
  readonly refreshMs: number;
  readonly look: Look;
  /** Sends a command. Never rejects. @returns the outcome in one line */
  act(action: Action, row: TopRow, wholeJob: boolean): Promise<{ readonly text: string; readonly isError: boolean }>;
}

/** Runs until the user leaves. @throws SpecError if there is no terminal */
export async function showTop(options: TopOptions): Promise<void> {
  let leave: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const left = new Promise<void>((resolve, reject) => {
    leave = resolve;
    fail = reject;
  });
  const guarded =
    <Given extends unknown[]>(work: (...given: Given) => void) =>
    (...given: Given) => {
      try {
        work(...given);
      } catch (error) {
        fail(error);
      }
    };
  const terminal: Terminal = new Terminal({
    onKey: guarded((key: Key) => display.key(key)),
    onResize: guarded(() => display.resized()),
  });
  const display = new Display(options, terminal, leave);
  const ticking = setInterval(
    guarded(() => display.tick()),
    options.refreshMs,
  );
  try {
    display.tick();
    await left;
  } finally {
    clearInterval(ticking);
    terminal.close();
  }
}

class Display {
  readonly #options: TopOptions;
  readonly #terminal: Pick<Terminal, 'show' | 'size' | 'suspend' | 'redraw'>;
  readonly #leave: () => void;
  #view: View;
  /** What the source knew at the last tick. */
  #all: readonly TopRow[] = [];
  /** What is on the screen, in its order. */
  #rows: readonly TopRow[] = [];
  #placed: readonly Placed[] = [];
  #columns = 0;

  constructor(options: TopOptions, terminal: Terminal, leave: () => void) {
    this.#options = options;
    this.#terminal = terminal;
    this.#leave = leave;
    this.#view = firstView(options.sort, options.reversed);
  }

  tick(): void {
    if (!this.#view.paused) this.#all = this.#options.source.rows();
    this.#draw();
  }

  resized(): void {
    this.#draw();
  }

  key(key: Key): void {
    const before = this.#view;
    const { view, effect } = press(before, key, { rows: this.#rows, height: bodyHeight(this.#terminal.size) });
    this.#view = view;
    if (before.filter !== view.filter) this.#placed = [];
    if (effect !== undefined) this.#carryOut(effect);
    if (before.paused && !view.paused) this.tick();
    else this.#draw();
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'quit':
        return this.#leave();
      case 'suspend':
        return this.#terminal.suspend();
      case 'redraw':
        return this.#terminal.redraw();
      case 'command':
        this.#tell({ text: `${effect.action}: sent, waiting for the answer ...`, isError: false });
        void this.#options.act(effect.action, effect.row, effect.wholeJob).then((message) => this.#tell(message));
    }
  }

  #tell(message: NonNullable<View['message']>): void {
    this.#view = { ...this.#view, message };
    this.#draw();
  }

  #draw(): void {
    const { source, filter, look } = this.#options;
    const size = this.#terminal.size;
    if (size.columns !== this.#columns) this.#placed = [];
    this.#columns = size.columns;
    const view = this.#view;
    source.want?.(view.sort, view.reversed, [filter, view.filter]);
    const rows = this.#all.filter(
      (row) => (view.showEnded || row.state !== 'ended') && fits(filter, row) && fits(view.filter, row),
    );
    this.#rows = sorted(rows, view.sort, view.reversed);
    if (view.page === 'table')
      this.#view = { ...view, scroll: scrollFor(view, { rows: this.#rows, height: bodyHeight(size) }) };
    const scene: Scene = {
      view: this.#view,
      rows: this.#rows,
      hidden: this.#all.length - rows.length,
      box: this.#selected(),
      source: source.state(),
      given: filterText(filter),
      clock: new Date().toTimeString().slice(0, 8),
    };
    const drawn = draw(scene, size, look, this.#placed);
    this.#placed = drawn.placed;
    this.#terminal.show(drawn.lines);
  }

  #selected(): Tracked | undefined {
    if (this.#view.page !== 'details') return undefined;
    const row = this.#rows.find(({ box }) => box === this.#view.selected);
    return row === undefined ? undefined : this.#options.source.details(row);
  }
}
