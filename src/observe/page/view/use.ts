/** Small hooks that several screens use. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { parseRoute, type Route } from '../data/route.js';

/** The screen that the address names, now and after each change. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/** A value that follows after a pause, for what is typed. */
export function useSettled<T>(value: T, pauseMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(setSettled, pauseMs, value);
    return () => clearTimeout(timer);
  }, [value, pauseMs]);
  return settled;
}

/**
 * The text of a search field that the address has as well: what is typed changes the address after a pause, and whoever follows a
 * link or goes back changes the text. An address that comes from the field itself changes nothing, as more may have been typed since.
 *
 * @returns the text, the text after the pause, and the function that takes what is typed
 */
export function useSearchText(
  inAddress: string,
  pauseMs: number,
  write: (text: string) => void,
): readonly [text: string, settled: string, setText: (text: string) => void] {
  const [text, setText] = useState(inAddress);
  const settled = useSettled(text, pauseMs);
  const known = useRef(inAddress);
  useEffect(() => {
    if (inAddress === known.current) return;
    known.current = inAddress;
    setText(inAddress);
  }, [inAddress]);
  useEffect(() => {
    if (settled !== text || settled === inAddress) return;
    known.current = settled;
    write(settled);
  }, [settled]);
  return [text, settled, setText];
}

/** Whether a key belongs to what is typed, and not to the page. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement ||
    document.querySelector('dialog[open]') !== null
  );
}

/** Calls the latest listener for keys that nobody else has taken. */
export function useKeys(listener: (event: KeyboardEvent) => void): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey) latest.current(event);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

/** Replaces the address without a step in the browser's history: a search while it is typed. */
export function replaceAddress(fragment: string): void {
  if (location.hash === fragment) return;
  history.replaceState(null, '', fragment);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
