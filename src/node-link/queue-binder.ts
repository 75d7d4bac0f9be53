import type { Binder, BindingKey, ControlSession } from './control-session.js';

/**
 * Makes the bindings of one queue, one request after the other. A refusal closes the channel of the request, and the
 * next request opens another.
 */
export class QueueBinder {
  readonly #session: ControlSession;
  readonly #onIdle: () => void;
  /** Exchanges that were looked up, with the error of those that cannot be used. */
  readonly #exchanges = new Map<string, unknown>();
  #channel: Binder | undefined;
  #isBusy = false;
  #hasEnded = false;

  /** @param onIdle the last request has ended */
  constructor(session: ControlSession, onIdle: () => void) {
    this.#session = session;
    this.#onIdle = onIdle;
  }

  get isBusy(): boolean {
    return this.#isBusy || this.#hasEnded;
  }

  /** The queue has gone: nothing that was asked for is answered any more. */
  end(): void {
    this.#hasEnded = true;
  }

  hasLookedUp(exchange: string): boolean {
    return this.#exchanges.has(exchange);
  }

  /** Why an exchange that was looked up cannot be used. */
  problemWith(exchange: string): unknown {
    return this.#exchanges.get(exchange);
  }

  /** Looks the exchange up again before the next request. */
  forget(exchange: string): void {
    this.#exchanges.delete(exchange);
  }

  /** Finds out whether the exchange can be used, and declares it if it does not exist. */
  lookUp(exchange: string): void {
    this.#run(
      (done) => this.#session.ensureExchange(exchange, done),
      (error) => this.#exchanges.set(exchange, error),
    );
  }

  bind(keys: readonly BindingKey[], then: (error: unknown) => void): void {
    this.#onChannel((channel, done) => channel.bindAll(keys, done), then);
  }

  unbind(key: BindingKey, then: (error: unknown) => void): void {
    this.#onChannel((channel, done) => channel.unbind(key, done), then);
  }

  #onChannel(request: (channel: Binder, done: (error: unknown) => void) => void, then: (error: unknown) => void): void {
    const channel = this.#channel;
    const ended = (error: unknown) => {
      if (error) this.#channel = undefined;
      then(error);
    };
    if (channel !== undefined) return this.#run((done) => request(channel, done), ended);
    this.#run(
      (done) =>
        this.#session.openBinder((error, opened) => {
          this.#channel = opened;
          if (opened !== undefined) request(opened, done);
          // The connection has ended. The next one begins anew, so there is no answer.
          else if (error) this.end();
        }),
      ended,
    );
  }

  #run(request: (done: (error: unknown) => void) => void, then: (error: unknown) => void): void {
    this.#isBusy = true;
    let isDone = false;
    request((error) => {
      if (isDone || this.#hasEnded) return;
      isDone = true;
      this.#isBusy = false;
      then(error);
      // Deferred, since a request on a closed channel fails at once.
      setImmediate(() => {
        if (!this.#hasEnded) this.#onIdle();
      });
    });
  }
}
