/** Dark or light: as the system says, until somebody chooses; the choice is kept in the browser. */
import { useEffect, useState } from 'preact/hooks';

export type Theme = 'dark' | 'light';

const KEY = 'proc_box.theme';
const CHANGED = 'themechange';
const dark = () => matchMedia('(prefers-color-scheme: dark)');

/** Sets the theme at the start, before anything is drawn, and follows the system. */
export function initTheme(): void {
  apply();
  dark().addEventListener('change', apply);
}

/** Changes to the other theme. */
export function toggleTheme(): void {
  const next: Theme = currentTheme() === 'dark' ? 'light' : 'dark';
  try {
    // What the system says anyway needs no choice, so that the page goes on following it.
    if (next === (dark().matches ? 'dark' : 'light')) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // A browser may refuse to keep anything; the choice then lasts as long as the page.
  }
  apply(next);
}

export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const changed = () => setTheme(currentTheme());
    document.addEventListener(CHANGED, changed);
    return () => document.removeEventListener(CHANGED, changed);
  }, []);
  return theme;
}

function apply(chosen?: unknown): void {
  const theme = chosen === 'dark' || chosen === 'light' ? chosen : (kept() ?? (dark().matches ? 'dark' : 'light'));
  document.documentElement.dataset['theme'] = theme;
  document.dispatchEvent(new Event(CHANGED));
}

function currentTheme(): Theme {
  return document.documentElement.dataset['theme'] === 'dark' ? 'dark' : 'light';
}

function kept(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'dark' || value === 'light' ? value : null;
  } catch {
    return null;
  }
}
