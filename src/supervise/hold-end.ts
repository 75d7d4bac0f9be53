import type { KeeperEvent } from 'cgroup-utils-native';

/**
 * Holds the end of the main process, and what follows it, until it is known why it came.
 * @param settled resolves then; null where that is known already
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
