/** The keys of the page, on `?`. */
import type { JSX } from 'preact';
import { Dialog } from './dialog.js';

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['/'], 'Search'],
  [['b'], 'All boxes'],
  [['h'], 'History'],
  [['↓', '↑'], 'Next and previous row (also j and k), when the table has the focus'],
  [['PgDn', 'PgUp'], 'One page of rows down or up; Home and End for the first and last row'],
  [['Enter'], 'Open the row’s job'],
  [['t'], 'Dark or light'],
  [['Esc'], 'Close a window, leave the search'],
  [['?'], 'This list'],
];

export function KeysDialog({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, does]) => [
          <dt key={does}>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>,
          <dd key={`${does} does`}>{does}</dd>,
        ])}
      </dl>
    </Dialog>
  );
}
