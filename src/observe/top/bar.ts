/** Bars of a few cells: how much of a limit is used now, and the most that was. */

const EIGHTHS = ['', '\u258f', '\u258e', '\u258d', '\u258c', '\u258b', '\u258a', '\u2589'] as const;
const FULL = '\u2588';

/**
 * @param now and peak as parts of the limit; 1 fills the bar
 * @returns exactly `width` characters; `|` marks the peak where it is to the right of what is used now
 */
export function bar(now: number, peak: number, width: number, utf8: boolean): string {
  if (width <= 0) return '';
  const cells = clamp(now) * width;
  const whole = Math.floor(cells);
  const part = Math.floor((cells - whole) * 8);
  const filled = utf8 ? FULL.repeat(whole) + EIGHTHS[part] : '#'.repeat(Math.round(cells));
  const empty = (utf8 ? '\u00b7' : '.').repeat(width - filled.length);
  const text = filled + empty;
  const mark = Math.min(width - 1, Math.floor(clamp(peak) * width));
  if (mark < filled.length) return text;
  return `${text.slice(0, mark)}|${text.slice(mark + 1)}`;
}

function clamp(part: number): number {
  return Number.isFinite(part) ? Math.max(0, Math.min(1, part)) : 0;
}
