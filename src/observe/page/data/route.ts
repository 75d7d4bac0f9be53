/**
 * Addresses of the page's screens. They are fragments (`#/jobs/c1/1234`), so that a link works behind any proxy path and the
 * collector serves one document for all of them.
 */

/** A screen with what it shows. Path segments and parameters are foreign text, which may hold anything. */
export type Route =
  | { readonly screen: 'boxes'; readonly params: Params }
  | { readonly screen: 'users' | 'hosts' | 'history' | 'alerts'; readonly params: Params }
  | { readonly screen: 'job'; readonly job: string; readonly params: Params }
  | { readonly screen: 'user'; readonly user: string; readonly params: Params }
  | { readonly screen: 'host'; readonly host: string; readonly params: Params }
  | { readonly screen: 'unknown'; readonly path: string; readonly params: Params };

/** Screens without a name of their own. */
const WHOLE = ['users', 'hosts', 'history', 'alerts'] as const;

/** What narrows a screen: the search, the order, the box that a job's screen shows. */
export type Params = Readonly<Record<string, string>>;

/** Parses a location's fragment, with or without its `#`. Never throws: what is no address becomes `unknown`. */
export function parseRoute(fragment: string): Route {
  const [path = '', query = ''] = splitOnce(fragment.replace(/^#/, ''), '?');
  const params = Object.fromEntries(new URLSearchParams(query));
  const parts = path.split('/').filter((part) => part !== '');
  const [screen, name, ...more] = parts.map(decoded);
  if (screen === undefined || (screen === 'boxes' && name === undefined)) return { screen: 'boxes', params };
  const whole = WHOLE.find((each) => each === screen);
  if (whole !== undefined && name === undefined) return { screen: whole, params };
  if (name === undefined || more.length > 0) return { screen: 'unknown', path, params };
  if (screen === 'jobs') return { screen: 'job', job: name, params };
  if (screen === 'users') return { screen: 'user', user: name, params };
  if (screen === 'hosts') return { screen: 'host', host: name, params };
  return { screen: 'unknown', path, params };
}

/** The fragment of an address, `#` included. Parameters that are empty are left out. */
export function address(path: readonly string[], params: Readonly<Record<string, string | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== '') query.set(name, value);
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** A mistyped escape such as `%zz` stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
