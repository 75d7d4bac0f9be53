/** The frame of the page: where one is, how the link to the collector is, and the screen. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { address, type Route } from '../data/route.js';
import { AlertsScreen } from './alerts.js';
import { Boxes } from './boxes.js';
import { GroupsScreen, HostScreen, UserScreen } from './group.js';
import { HistoryScreen } from './history.js';
import { Icon } from './icons.js';
import { JobScreen } from './job.js';
import { KeysDialog } from './keys.js';
import { LinkState } from './link-state.js';
import { useSession } from './session.js';
import { toggleTheme, useTheme } from './theme.js';
import { isTyping, useKeys, useRoute } from './use.js';
import { Failure } from './words.js';

export function App(): JSX.Element {
  const route = useRoute();
  const [keys, setKeys] = useState(false);
  const main = useRef<HTMLElement>(null);
  useKeys((event) => {
    if (isTyping(event)) return;
    const does: Readonly<Record<string, () => void>> = {
      '?': () => setKeys(true),
      b: () => {
        location.hash = address(['boxes']);
      },
      h: () => {
        location.hash = address(['history']);
      },
      t: toggleTheme,
      '/': () => focusSearch(),
    };
    const action = does[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  useScreenChange(route, main);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <TopBar route={route} onKeys={() => setKeys(true)} />
      <main ref={main} tabIndex={-1}>
        <Screen route={route} />
      </main>
      {keys && <KeysDialog onClose={() => setKeys(false)} />}
    </>
  );
}

function Screen({ route }: { readonly route: Route }): JSX.Element {
  switch (route.screen) {
    case 'boxes':
      return <Boxes params={route.params} />;
    case 'users':
    case 'hosts':
      return <GroupsScreen key={route.screen} kind={route.screen} />;
    case 'alerts':
      return <AlertsScreen />;
    case 'history':
      return <HistoryScreen params={route.params} />;
    case 'job':
      return <JobScreen key={route.job} job={route.job} params={route.params} />;
    case 'user':
      return <UserScreen key={route.user} name={route.user} params={route.params} />;
    case 'host':
      return <HostScreen key={route.host} name={route.host} params={route.params} />;
    case 'unknown':
      return <Failure title="There is no such screen" text={`The address names “${route.path}”.`} />;
  }
}

/** Each tab's screen, title, and the screen of a single one of its things. */
const TABS: readonly (readonly [string, string, string])[] = [
  ['boxes', 'Boxes', 'job'],
  ['users', 'Users', 'user'],
  ['hosts', 'Hosts', 'host'],
  ['history', 'History', ''],
  ['alerts', 'Alerts', ''],
];

function TopBar({ route, onKeys }: { readonly route: Route; readonly onKeys: () => void }): JSX.Element {
  const session = useSession();
  const theme = useTheme();
  return (
    <header class="bar-top">
      <a class="brand" href={address(['boxes'])} aria-label="proc_box, all boxes">
        <img src="icon.svg" alt="" />
        <span>proc_box</span>
      </a>
      <nav class="tabs" aria-label="Screens">
        {TABS.map(([screen, title, also]) => (
          <a
            key={screen}
            href={address([screen])}
            aria-current={route.screen === screen || route.screen === also ? 'page' : undefined}
          >
            {title}
          </a>
        ))}
      </nav>
      <div class="rest">
        <LinkState />
        {session !== null && (
          <span class="who" title={session.title}>
            {session.label}
          </span>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
          onClick={toggleTheme}
        >
          <Icon name={theme === 'dark' ? 'light' : 'dark'} />
        </button>
        <button type="button" class="icon-button for-keys" aria-label="Keys" onClick={onKeys}>
          <Icon name="keys" />
        </button>
      </div>
    </header>
  );
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('input[type=search]');
  if (field === null) location.hash = address(['boxes']);
  else field.select();
}

/** A new screen begins at its top, has its own title, and those who hear the page are told. */
function useScreenChange(route: Route, main: { readonly current: HTMLElement | null }): void {
  const name = titleOf(route);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${name} · proc_box`;
    if (!first.current) {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [name, main]);
}

function titleOf(route: Route): string {
  switch (route.screen) {
    case 'boxes':
    case 'users':
    case 'hosts':
    case 'history':
    case 'alerts':
      return route.screen.charAt(0).toUpperCase() + route.screen.slice(1);
    case 'job':
      return `Job ${route.job}`;
    case 'user':
      return `User ${route.user}`;
    case 'host':
      return `Host ${route.host}`;
    case 'unknown':
      return 'Not found';
  }
}
