/** What has been received, for a program that waits for certain messages in turn. */
export interface Inbox {
  add(message: Record<string, unknown>): void;
  /**
   * The next message that fits, among those that no earlier call has passed over.
   * @throws Error after 30 s without one
   */
  next(fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
}

const TIMEOUT_MS = 30_000;

export function createInbox(): Inbox {
  const messages: Record<string, unknown>[] = [];
  let arrived = () => {};
  return {
    add(message) {
      messages.push(message);
      arrived();
    },
    next(fits) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('the message waited for has not come in 30 s')), TIMEOUT_MS);
        arrived = () => {
          for (let message = messages.shift(); message; message = messages.shift()) {
            if (!fits(message)) continue;
            clearTimeout(timer);
            arrived = () => {};
            resolve(message);
            return;
          }
        };
        arrived();
      });
    },
  };
}
