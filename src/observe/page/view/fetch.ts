/** Requests to the collector, below the page's own address. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/** A refusal by the collector, or that it could not be reached (status 0). The message is for people. */
export class ApiFailure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws ApiFailure */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await request<T>(path, signal === undefined ? {} : { signal });
}

/** @throws ApiFailure */
export async function postJson<T>(path: string, body: unknown): Promise<T> {
  return await request<T>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function request<T>(path: string, options: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiFailure(0, 'The collector does not answer. It may have been stopped, or the network is down.');
  }
  const body = await bodyOf(response);
  if (!response.ok)
    throw new ApiFailure(response.status, detailOf(body) ?? `The collector answered ${response.status}.`);
  if (body === undefined) {
    throw new ApiFailure(
      response.status,
      'What answered is not the collector: a proxy or a login page may be in between.',
    );
  }
  return body as T;
}

/** @returns undefined if it is not JSON. @throws whatever has cut the answer short */
async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiFailure(
      0,
      'The answer of the collector was cut short. It may have been stopped, or the network is down.',
    );
  }
}

function detailOf(problem: unknown): string | null {
  if (typeof problem !== 'object' || problem === null || !('detail' in problem)) return null;
  return typeof problem.detail === 'string' ? problem.detail : null;
}

export interface Fetched<T> {
  readonly data: T | null;
  readonly failure: ApiFailure | null;
  /** Asks again; what is there stays until the answer has come. */
  readonly again: () => void;
}

/** What is at a path of the API; null asks for nothing. A change of path drops what the old one had. */
export function useFetched<T>(path: string | null, everyMs?: number): Fetched<T> {
  const [state, setState] = useState<{ path: string | null; data: T | null; failure: ApiFailure | null }>({
    path,
    data: null,
    failure: null,
  });
  const [round, setRound] = useState(0);
  const again = useCallback(() => setRound((number) => number + 1), []);
  const latest = useRef(path);
  latest.current = path;
  // A new round asks again.
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    getJson<T>(path, abort.signal).then(
      (data) => !abort.signal.aborted && setState({ path, data, failure: null }),
      (error) => {
        if (!(error instanceof ApiFailure) || abort.signal.aborted) return;
        setState((last) => ({ path, data: last.path === path ? last.data : null, failure: error }));
      },
    );
    return () => abort.abort();
  }, [path, round]);
  useEffect(() => {
    if (everyMs === undefined) return;
    const timer = setInterval(() => document.visibilityState === 'visible' && again(), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, again]);
  return state.path === path ? { ...state, again } : { data: null, failure: null, again };
}
