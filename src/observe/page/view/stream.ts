/** The page's one connection for live figures. A hidden page has none: it connects when it is looked at again. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { parseJson } from '../../model/json.js';
import { ApiFailure, getJson } from './fetch.js';

export type LinkState =
  | { readonly link: 'none' | 'connecting' | 'live' }
  | { readonly link: 'lost'; readonly why: string };

const CHANGED = 'linkchange';
/** A screen that follows another stream is between two connections for a moment, which nobody needs to see. */
const BETWEEN_MS = 500;
let current: LinkState = { link: 'none' };
let leaving: ReturnType<typeof setTimeout> | undefined;

/** How the connection is, for the bar at the top. */
export function useLink(): LinkState {
  const [state, setState] = useState(current);
  useEffect(() => {
    const changed = () => setState(current);
    changed();
    document.addEventListener(CHANGED, changed);
    return () => document.removeEventListener(CHANGED, changed);
  }, []);
  return state;
}

function tell(state: LinkState): void {
  clearTimeout(leaving);
  current = state;
  document.dispatchEvent(new Event(CHANGED));
}

type Listeners = Readonly<Record<string, (data: never) => void>>;

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/**
 * Follows a stream of the API while the component is there and the page is visible.
 * @param path null follows none
 * @param listeners per name of an event, with its parsed data; the latest ones are called
 * @param whoami a path that tells why a stream was refused, because EventSource does not
 */
export function useStream(path: string | null, listeners: Listeners, whoami: string): void {
  const latest = useRef(listeners);
  latest.current = listeners;
  const names = Object.keys(listeners).join(' ');
  useEffect(() => {
    if (path === null) return;
    const link = follow(path, names.split(' '), whoami, (name, data) => latest.current[name]?.(data as never));
    const visibility = () => (document.visibilityState === 'visible' ? link.open() : link.close());
    visibility();
    document.addEventListener('visibilitychange', visibility);
    return () => {
      document.removeEventListener('visibilitychange', visibility);
      link.close();
      clearTimeout(leaving);
      leaving = setTimeout(tell, BETWEEN_MS, { link: 'none' });
    };
  }, [path, names, whoami]);
}

function follow(
  path: string,
  names: readonly string[],
  whoami: string,
  onEvent: (name: string, data: unknown) => void,
) {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;
  const close = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
  };
  const open = () => {
    if (source !== null) return;
    clearTimeout(timer);
    clearTimeout(leaving);
    if (current.link === 'none') tell({ link: 'connecting' });
    const made = new EventSource(path);
    source = made;
    made.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      tell({ link: 'live' });
    };
    for (const name of names) {
      made.addEventListener(name, (event) => {
        const data = parseJson((event as MessageEvent<string>).data);
        // Of a torn event nothing is taken: the next one has what counts.
        if (data !== undefined && source === made) onEvent(name, data);
      });
    }
    made.onerror = () => {
      if (source !== made) return;
      close();
      const waitMs = retryMs * (0.75 + Math.random() / 2);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      timer = setTimeout(open, waitMs);
      // A page that has many tables open asks once, not each time.
      void reason(whoami).then((why) => source === null && timer !== undefined && tell({ link: 'lost', why }));
    };
  };
  return { open, close };
}

async function reason(whoami: string): Promise<string> {
  try {
    await getJson(whoami);
    return 'The connection was lost.';
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401)
      return 'You are no longer signed in. Open the address that the collector printed.';
    return error instanceof ApiFailure ? error.message : 'The connection was lost.';
  }
}
