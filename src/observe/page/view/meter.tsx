/** How much of a limit is used: a bar, the figure, and a mark for the highest use so far. */
import type { JSX } from 'preact';
import { share, urgency } from '../data/figures.js';

interface Props {
  readonly kind: 'cpu' | 'memory' | 'time';
  readonly used: number | null;
  /** Null where there is no limit: the bar then stays empty. */
  readonly limit: number | null;
  readonly peak?: number | null;
  readonly text: string;
  readonly limitText: string;
  /** Full use is what one wants of a CPU, and no reason for a warning colour. */
  readonly calm?: boolean;
}

export function Meter({ kind, used, limit, peak, text, limitText, calm = false }: Props): JSX.Element {
  const part = share(used, limit);
  const high = share(peak ?? null, limit);
  return (
    <div class={`meter ${kind} ${calm ? 'calm' : urgency(part)}`}>
      <div class="label">
        <span>{text}</span>
        {limitText !== '' && <small>{limitText}</small>}
      </div>
      <div class="track" aria-hidden="true">
        {part !== null && <div class="fill" style={{ width: width(part) }} />}
        {high !== null && <div class="mark" style={{ left: width(high) }} />}
      </div>
    </div>
  );
}

function width(part: number): string {
  return `${Math.min(Math.max(part, 0), 1) * 100}%`;
}
