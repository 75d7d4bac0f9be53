import { minified } from '../../../options/verbatim.js';
import type { Observed } from '../../model/observed.js';
import { isOfJob } from '../live/table.js';
import type { MessageChoice } from './query.js';
import type { EventStream } from './sse.js';

/** Streams of the messages themselves, each once and as it was published. */

/** UTF-16 units that gather for a client within one turn; what the stream itself holds comes on top. */
const GATHERED_MAX = 16 * 1024 * 1024;

interface Watcher {
  readonly stream: EventStream;
  readonly choice: MessageChoice;
  gathered: string[];
  length: number;
  /** Messages that this client was too slow for. */
  leftOut: number;
}

export class LiveMessages {
  readonly #watchers = new Set<Watcher>();
  readonly #nowMs: () => number;
  #isDue = false;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** @returns ends it */
  watch(choice: MessageChoice, stream: EventStream): () => void {
    const watcher: Watcher = { stream, choice, gathered: [], length: 0, leftOut: 0 };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Takes a message that is new. Messages that come in one turn leave together. */
  take(message: Observed, body: Buffer): void {
    let text: string | undefined;
    for (const watcher of this.#watchers) {
      if (!isChosen(watcher.choice, message)) continue;
      text ??= minified(body.toString());
      this.#gather(watcher, text);
    }
  }

  close(): void {
    for (const { stream } of this.#watchers) stream.close();
  }

  #gather(watcher: Watcher, text: string): void {
    if (watcher.length + text.length > GATHERED_MAX) {
      watcher.leftOut++;
    } else {
      watcher.gathered.push(text);
      watcher.length += text.length;
    }
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      for (const one of this.#watchers) this.#send(one);
    });
  }

  #send(watcher: Watcher): void {
    const { stream, gathered } = watcher;
    if (gathered.length === 0) return;
    watcher.gathered = [];
    watcher.length = 0;
    if (!stream.isReady(this.#nowMs())) {
      watcher.leftOut += gathered.length;
      return;
    }
    if (watcher.leftOut > 0) stream.send('left_out', JSON.stringify({ messages: watcher.leftOut }));
    watcher.leftOut = 0;
    stream.send('message', ...gathered);
  }
}

function isChosen(
  { visibleTo, user, job, host, samples, events }: MessageChoice,
  { kind, identity }: Observed,
): boolean {
  if (kind === 'sample' ? !samples : !events) return false;
  if (visibleTo !== null && identity.user !== visibleTo) return false;
  if (user !== undefined && identity.user !== user) return false;
  return (host === undefined || identity.host === host) && (job === undefined || isOfJob(identity.job, job));
}
