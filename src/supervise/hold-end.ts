import type { KeeperEvent } from 'cgroup-utils-native';

/**
 * Holds back the event that the main process has ended, and later events, until it is known what ended it.
 * @param settled resolves once that is known; null if it is known already
 */
export function holdEnd(
  handle: (event: KeeperEvent) => void,
  settled: (exited: Extract<KeeperEvent, { type: 'exited' }>) => Promise<void> | null,
): (event: KeeperEvent) => void {
  let held: KeeperEvent[] | null = null;
  return (event) => {
    if (held !== null && event.type !== 'witnessed') {
      held.push(event);
      return;
    }
    const known = event.type === 'exited' ? settled(event) : null;
    if (known === null) return handle(event);
    held = [event];
    void known.then(() => {
      const events = held ?? [];
      held = null;
      for (const late of events) handle(late);
    });
  };
}
