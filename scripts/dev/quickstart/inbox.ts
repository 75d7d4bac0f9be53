/** Received messages, for a program that waits for certain ones in turn. */
export interface Inbox {
  add(message: Record<string, unknown>): void;
  /**
   * The next message that fits. Messages that an earlier call has skipped do not count.
   * @throws Error after 30 s without such a message
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
        const timer = setTimeout(
          () => reject(new Error('the expected message has not arrived within 30 s')),
          TIMEOUT_MS,
        );
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
