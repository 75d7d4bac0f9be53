import type { ServerResponse } from 'node:http';

/** One stream of server-sent events. A client that does not read is skipped, and then dropped. */

/** Proxies that gather answers are told not to (nginx). */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  connection: 'keep-alive',
} as const;
const ALIVE_MS = 15_000;
/** Bytes that a client has not read: until they are gone it gets nothing new. */
const UNREAD_MAX = 1 << 20;
const STUCK_MS = 60_000;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #alive: NodeJS.Timeout;
  #stuckSinceMs: number | null = null;
  #isOpen = true;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, onClosed: () => void) {
    this.#response = response;
    response.writeHead(200, { ...headers, ...HEADERS });
    response.write('retry: 2000\n\n');
    this.#alive = setInterval(() => this.#write(': alive\n\n'), ALIVE_MS);
    this.#alive.unref();
    response.on('error', () => {}); // `close` follows
    response.on('close', () => {
      this.#isOpen = false;
      clearInterval(this.#alive);
      onClosed();
    });
  }

  /** Whether the client takes more now. A client that has read nothing for a minute is dropped. */
  isReady(nowMs: number): boolean {
    if (!this.#isOpen) return false;
    if (this.#response.writableLength < UNREAD_MAX) {
      this.#stuckSinceMs = null;
      return true;
    }
    this.#stuckSinceMs ??= nowMs;
    if (nowMs - this.#stuckSinceMs > STUCK_MS) this.close();
    return false;
  }

  /** @param data JSON on one line; several of them are as many events, which leave together */
  send(event: string, ...data: readonly string[]): void {
    this.#write(data.map((one) => `event: ${event}\ndata: ${one}\n\n`).join(''));
  }

  close(): void {
    this.#response.destroy();
  }

  #write(text: string): void {
    if (this.#isOpen) this.#response.write(text);
  }
}
