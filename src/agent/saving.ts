import type { Keeper } from 'cgroup-utils-native';
import { CommandMemory, type SavedCommands } from '../amqp/command-memory.js';
import type { Box } from '../box/box.js';
import type { Change } from '../box/box-options.js';
import type { SavedBox } from '../box/saved.js';
import { after } from '../delay.js';
import { isSpecError, SpecError } from '../errors.js';
import type { Recording } from './recorded.js';

/** What the keeper holds for the next agent. Each agent understands what the version before has saved. */
export interface SavedHosting {
  readonly version: 1;
  readonly box: SavedBox;
  readonly commands: SavedCommands;
  /** How the box's groups were made. */
  readonly groups: Recording;
}

/** As native/src/keeper/agent_link.cc. */
const SAVED_MAX_BYTES = 64 * 1024;
const SOON_MS = 20;
/** A box that is sampled often is not saved with each sample: the keeper counts what must be exact. */
const LATER_MS = 5_000;

/** Gives the keeper what the next agent needs, whenever the box has changed. */
export class Saving {
  readonly #keeper: Keeper;
  readonly #groups: Recording;
  /** As JSON: the largest part, which does not change once there is a box. */
  #groupsText: string | undefined;
  readonly #box: () => Box | undefined;
  /** The commands that the box has carried out. */
  readonly commands: CommandMemory;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #savedMs = Number.NEGATIVE_INFINITY;
  #ended = false;
  #caughtUp: Promise<void> | undefined;

  constructor(keeper: Keeper, groups: Recording, box: () => Box | undefined, commands?: SavedCommands) {
    this.#keeper = keeper;
    this.#groups = groups;
    this.#box = box;
    this.commands = new CommandMemory(commands, (when) =>
      when === 'now' ? this.#beforeCommand() : this.changed(when),
    );
  }

  readonly changed = (when: Change): void => {
    if (when === 'now') return this.#save();
    this.#saveAt(Math.max(performance.now() + SOON_MS, when === 'later' ? this.#savedMs + LATER_MS : 0));
  };

  /** As long as the keeper does not read, commands wait, so that what it is sent stays bounded. */
  #beforeCommand(): void | Promise<void> {
    if (!this.#keeper.isBehind) return this.#save();
    this.#caughtUp ??= this.#untilCaughtUp();
    return this.#caughtUp;
  }

  async #untilCaughtUp(): Promise<void> {
    while (this.#keeper.isBehind && !this.#ended) await new Promise<void>((resolve) => after(SOON_MS, resolve));
    this.#caughtUp = undefined;
    this.#save();
  }

  #saveAt(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#due(), dueMs - performance.now());
  }

  /** A keeper that does not read, because it is stopped or frozen, gets this later. */
  #due(): void {
    if (!this.#keeper.isBehind) return this.#save();
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#saveAt(performance.now() + LATER_MS);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #save(): void {
    clearTimeout(this.#timer);
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#savedMs = performance.now();
    const box = this.#box();
    if (this.#ended || box === undefined) return;
    this.#groupsText ??= JSON.stringify(this.#groups);
    const rest = `"box":${JSON.stringify(box.save())},"groups":${this.#groupsText}}`;
    // Senders choose the ids of their commands, which may be long.
    for (let commands = this.commands.save(); ; commands = commands.slice(Math.ceil(commands.length / 2))) {
      const bytes = Buffer.from(`{"version":1,"commands":${JSON.stringify(commands)},${rest}`);
      if (bytes.length <= SAVED_MAX_BYTES) return void this.#keeper.keep(bytes);
      if (commands.length === 0) return;
    }
  }
}

/**
 * What a keeper has given back. It is the user's, so it may be anything; it decides only about his own box.
 * @throws SpecError if a box cannot go on with it
 */
export function parseSaved(bytes: Buffer): SavedHosting {
  let saved: SavedHosting;
  try {
    saved = JSON.parse(bytes.toString()) as SavedHosting;
    if (saved.version !== 1)
      throw new SpecError(`the saved state has the unknown version ${JSON.stringify(saved.version)}`);
    if (isSaved(saved)) return saved;
  } catch (error) {
    // A field that is missing makes a TypeError, and text that was cut a SyntaxError.
    if (isSpecError(error)) throw error;
  }
  throw new SpecError('the saved state is not one that an agent writes');
}

function isSaved({ box, commands, groups }: SavedHosting): boolean {
  const { clock, life } = box;
  const numbers = [
    box.sequence,
    box.pid,
    box.startedMs,
    box.sampleIntervalMs,
    clock.elapsedMs,
    clock.atMs,
    clock.limitMs,
    clock.seenMs ?? 0,
  ];
  const lists = [groups, commands, box.limits, box.limitSetBy, box.near, box.resources.limits, clock.reached];
  return (
    /^[0-9a-f]{20}$/.test(box.boxId) &&
    numbers.every((value) => typeof value === 'number' && value >= 0) &&
    lists.every(Array.isArray) &&
    ['starting', 'running', 'stopping'].includes(life.state.phase)
  );
}
