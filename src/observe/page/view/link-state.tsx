/** How the connection to the collector is, and why where it is lost. */
import type { JSX } from 'preact';
import { useLink } from './stream.js';

export function LinkState(): JSX.Element | null {
  const state = useLink();
  const [className, text, title] =
    state.link === 'live'
      ? ['live', 'Live', 'Figures are kept up to date']
      : state.link === 'lost'
        ? [
            'lost',
            'Connection lost',
            `${state.why} The page reconnects automatically; until then, figures are out of date.`,
          ]
        : state.link === 'connecting'
          ? ['', 'Connecting', 'The page is connecting to the collector']
          : ['', 'Not live', 'This screen shows stored data'];
  return (
    <div class={`link-state ${className}`} role="status" title={title}>
      <span>{text}</span>
    </div>
  );
}
