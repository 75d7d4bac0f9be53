import { fit, widthOf } from './cells.js';
import type { Look } from './look.js';

/** Styled text. A style without a colour still shows on a terminal without colours, or does not matter there. */

export type Style = 'plain' | 'bold' | 'dim' | 'heading' | 'selected' | 'good' | 'notice' | 'alarm' | 'question';

export interface Span {
  readonly text: string;
  readonly style?: Style;
}

/** Select graphic rendition, ECMA-48: with colours, and without. */
const SGR: Readonly<Record<Style, readonly [color: string, plain: string]>> = {
  plain: ['', ''],
  bold: ['1', '1'],
  dim: ['2', '2'],
  heading: ['7', '7'],
  selected: ['30;46', '7'],
  good: ['32', ''],
  notice: ['33', '1'],
  alarm: ['1;31', '1'],
  question: ['30;43', '7'],
};

/**
 * One line of exactly `width` cells, as text for the terminal.
 * @param over a style for the whole line, which replaces those of its spans
 */
export function line(spans: readonly Span[], width: number, look: Look, over?: Style): string {
  let left = width;
  let text = '';
  for (const span of spans) {
    const whole = widthOf(span.text);
    const taken = Math.min(left, whole);
    if (taken <= 0) continue;
    text += styled(taken === whole ? span.text : fit(span.text, taken, look.utf8), over ?? span.style ?? 'plain', look);
    left -= taken;
  }
  return left === 0 ? text : text + styled(' '.repeat(left), over ?? 'plain', look);
}

export function styled(text: string, style: Style, { color, bare }: Look): string {
  if (bare) return text;
  const code = SGR[style][color ? 0 : 1];
  return code === '' ? text : `\x1b[${code}m${text}\x1b[0m`;
}
