import type { request as Http, IncomingMessage, RequestOptions } from 'node:http';
import { EnvironmentError, SpecError } from '../../errors.js';
import { quote } from '../../options/words.js';
import { API_PREFIX } from '../model/api.js';
import { isFields, textAt } from '../model/fields.js';
import { parseJson } from '../model/json.js';

/** A client of the collector's API. What comes back is foreign input, like a message. */

const TIMEOUT_MS = 15_000;
const ANSWER_MAX = 256 * 1024 * 1024;

/** The collector answered with an error. */
export class CollectorError extends EnvironmentError {
  /** HTTP status. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

export class Collector {
  /** Without the token. */
  readonly shown: string;
  readonly #base: URL | undefined;
  readonly #socket: string | undefined;
  readonly #token: string | undefined;

  /**
   * @param address `http://host:port`, also with the `?token=...` that the collector prints, or the path of its socket
   * @param token counts more than that of the address
   * @throws SpecError
   */
  constructor(address: string, token?: string) {
    if (address.startsWith('/')) {
      this.#socket = address;
      this.#token = token;
      this.shown = address;
      return;
    }
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
      throw new SpecError(
        '--collector: expected an address that begins with http:// or https://, or the path of a socket',
      );
    }
    this.#token = token ?? url.searchParams.get('token') ?? undefined;
    this.#base = new URL(url.origin + url.pathname.replace(/\/$/, ''));
    this.shown = this.#base.href.replace(/\/$/, '');
  }

  /** @param path below the API's prefix. @throws EnvironmentError, CollectorError */
  get(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<unknown> {
    return this.#send('GET', withQuery(path, query));
  }

  /** @throws EnvironmentError, CollectorError */
  post(path: string, body: unknown): Promise<unknown> {
    return this.#send('POST', path, JSON.stringify(body));
  }

  /**
   * Opens a stream of server-sent events.
   * @param path below the API's prefix
   * @throws EnvironmentError, CollectorError
   */
  async stream(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<IncomingMessage> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
    try {
      const response = await this.#request('GET', withQuery(path, query), late.signal);
      if (response.statusCode === 200 && response.headers['content-type']?.startsWith('text/event-stream'))
        return response;
      const text = await read(response);
      throw this.#error(response.statusCode ?? 0, parseJson(text));
    } catch (error) {
      throw error instanceof CollectorError ? error : this.#failure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(method: string, path: string, body?: string): Promise<unknown> {
    let answer: { status: number; text: string };
    try {
      const response = await this.#request(method, path, AbortSignal.timeout(TIMEOUT_MS), body);
      answer = { status: response.statusCode ?? 0, text: await read(response) };
    } catch (error) {
      throw this.#failure(error);
    }
    const value = parseJson(answer.text);
    if (answer.status === 200 && value !== undefined) return value;
    throw this.#error(answer.status, value);
  }

  async #request(method: string, path: string, signal: AbortSignal, body?: string): Promise<IncomingMessage> {
    const prefix = this.#base?.pathname.replace(/\/$/, '') ?? '';
    const options: RequestOptions = {
      method,
      path: `${prefix}${API_PREFIX}${path}`,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
      },
      ...(this.#base === undefined
        ? { socketPath: this.#socket }
        : { protocol: this.#base.protocol, hostname: bareHost(this.#base), port: this.#base.port }),
      signal,
    };
    // A report from files needs neither.
    const { request } = await (this.#base?.protocol === 'https:' ? import('node:https') : import('node:http'));
    return await answerOf(request, options, body);
  }

  #failure(error: unknown): EnvironmentError {
    return new EnvironmentError(`collector ${this.shown}: ${reasonOf(error)}`, { cause: error });
  }

  #error(status: number, value: unknown): CollectorError {
    return new CollectorError(`collector ${this.shown}: ${problemOf(status, value)}`, status);
  }
}

/** An IPv6 address without its brackets. */
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

function answerOf(send: typeof Http, options: RequestOptions, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = send(options, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > ANSWER_MAX) throw new Error('its answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || name === 'AbortError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return `${code}: is it running there?`;
  return code ?? message;
}

function problemOf(status: number, value: unknown): string {
  if (status === 401) return 'it does not recognize you: give --token-file, or the address with its ?token=';
  const detail = isFields(value) ? (textAt(value['detail'], 300) ?? textAt(value['title'], 300)) : null;
  if (detail !== null) return detail;
  return status === 200
    ? 'its answer is not JSON: is it a collector?'
    : `HTTP status ${status}: is it a collector? ${quote(API_PREFIX)} is missing there`;
}
