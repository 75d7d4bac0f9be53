/** A full screen of lines. Only lines that have changed are written, within one synchronized update. */

/** Alternate screen, no cursor, no automatic wrap: xterm's private modes 1049, 25 and 7. */
export const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
/** Ends an update, resets styles, and gives the terminal back what ENTER took. native/src/front/terminal.cc writes the same. */
export const LEAVE = '\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';

/** The terminal shows nothing until the end of the update; one that does not know mode 2026 ignores this. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Remembers what the terminal shows. */
export class Screen {
  #shown: readonly string[] = [];

  /** The terminal was cleared or resized, so the next frame is written whole. */
  forget(): void {
    this.#shown = [];
  }

  /**
   * @param lines each exactly as wide as the screen; fewer lines than rows leave the rest empty
   * @returns what to write; empty if nothing has changed
   */
  frame(lines: readonly string[], { columns, rows }: Size): string {
    const before = this.#shown;
    const blank = ' '.repeat(columns);
    const next = Array.from({ length: rows }, (_, row) => lines[row] ?? blank);
    const changes = next.flatMap((text, row) => (text === before[row] ? [] : [`\x1b[${row + 1};1H\x1b[0m${text}`]));
    this.#shown = next;
    return changes.length === 0 ? '' : `${BEGIN_UPDATE}${changes.join('')}\x1b[0m${END_UPDATE}`;
  }
}
