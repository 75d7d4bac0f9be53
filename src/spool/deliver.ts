import type { Logger } from '../log.js';
import { deliverFile, type Part } from './deliver-file.js';
import { type Delivered, type DeliveryOptions, NOTHING } from './delivery.js';
import { openSpooled } from './file.js';
import { boxOf, type Folder, SPOOLED } from './folder.js';

/**
 * Publishes the contents of spool files. The users take turns, each with one file at a time, so that nobody waits long.
 */

/** After this many consecutive files without a single confirm, the broker counts as silent. */
const SILENT_MAX = 2;
/** Warnings per user, so that a user with thousands of damaged files does not fill root's log. */
const WARNINGS_MAX = 20;

/**
 * Delivers the folders in turn until nothing is left.
 * @param giveUp called if the broker confirms nothing at all; must abort `stop`
 */
export async function deliverInTurn(
  folders: readonly { readonly folder: Folder; readonly delivery: DeliveryOptions }[],
  giveUp: () => void,
): Promise<Delivered> {
  let sum = NOTHING;
  let silent = 0;
  let turns = folders.map(({ folder, delivery }) => deliverFolder(folder, delivery));
  while (turns.length > 0) {
    const more: typeof turns = [];
    for (const turn of turns) {
      const { value: part, done } = await turn.next();
      if (done === true) continue;
      sum = add(sum, part);
      if (part.silent === true) silent++;
      else if ((part.messages ?? 0) > 0) silent = 0;
      if (silent >= SILENT_MAX) giveUp();
      more.push(turn);
    }
    turns = more;
  }
  return sum;
}

function add(one: Delivered, other: Part): Delivered {
  const names = Object.keys(one) as (keyof Delivered)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + (other[name] ?? 0)])) as unknown as Delivered;
}

async function* deliverFolder(folder: Folder, given: DeliveryOptions): AsyncGenerator<Part> {
  const complaints = limited(given.warn, folder);
  const delivery = { ...given, warn: complaints.warn };
  /** Boxes with an earlier file that is still to be delivered, here or by another process; later files must wait. */
  const waiting = new Map<string, Part>();
  let silent = false;
  for (const name of await namesOf(folder, delivery)) {
    const box = boxOf(name);
    if (box === delivery.except) continue;
    const before = waiting.get(box);
    if (before !== undefined || silent || delivery.stop.aborted) {
      yield before ?? { left: 1 };
      continue;
    }
    for await (const part of deliverNamed(folder, name, delivery)) {
      if (part.left !== undefined) waiting.set(box, { left: 1 });
      if (part.inUse !== undefined) waiting.set(box, { inUse: 1 });
      silent ||= part.silent === true;
      yield part;
    }
  }
  complaints.end();
}

async function namesOf(folder: Folder, delivery: DeliveryOptions): Promise<string[]> {
  try {
    return await folder.names(SPOOLED);
  } catch (error) {
    delivery.warn((error as Error).message);
    return [];
  }
}

async function* deliverNamed(folder: Folder, name: string, delivery: DeliveryOptions): AsyncGenerator<Part> {
  try {
    const found = await openSpooled(folder, name);
    if (found.kind === 'gone') return;
    if (found.kind === 'in use') yield { inUse: 1 };
    else if (found.kind === 'foreign') {
      delivery.warn(`${folder.shown(name)} was left alone: ${found.why}`);
      yield { left: 1 };
    } else {
      await using file = found.file;
      yield* deliverFile(folder, file, delivery);
    }
  } catch (error) {
    delivery.warn(`${folder.shown(name)}: ${(error as Error).message}`);
    yield { left: 1 };
  }
}

function limited(warn: DeliveryOptions['warn'], folder: Folder) {
  let count = 0;
  return {
    warn(text: string): void {
      if (++count <= WARNINGS_MAX) warn(text);
    },
    end(): void {
      if (count > WARNINGS_MAX) warn(`${folder.path}: ${count - WARNINGS_MAX} more warnings are not shown`);
    },
  };
}

/** Makes a `DeliveryOptions.warn` that writes to our log. */
export function toLog(log: Logger): DeliveryOptions['warn'] {
  return (text) => log.warn(`spool: ${text}`);
}
