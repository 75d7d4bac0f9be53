import { createHash } from 'node:crypto';
import type { Answer } from '../model/types.js';

/**
 * Message ids whose answers are remembered. A message with such an id gets the same answer, and has no further effect.
 */
const REMEMBERED_MAX = 1_000;
/** What another process needs of them: the ids of the last commands. */
const SAVED_MAX = 64;
const SAVED_ANSWER_MAX = 512;

/** A command that was carried out. */
export interface Remembered {
  /** Name and arguments, as `askedFor` puts them. */
  readonly asked: string;
  readonly answer: Promise<Answer>;
  /** It has changed nothing, so another process may carry it out once more. */
  readonly onlyAsks: boolean;
}

/** Longer ones are remembered by their digest. */
const ASKED_MAX = 200;

/** Name and arguments of a command in a bounded form, to tell whether two are the same. */
export function askedFor(name: string, args: readonly string[]): string {
  const text = JSON.stringify([name, ...args]);
  return text.length <= ASKED_MAX ? text : `${name} ${createHash('sha256').update(text).digest('base64')}`;
}

/** The commands that were carried out last: key, name and arguments, and the answer if it is short. */
export type SavedCommands = readonly (readonly [key: string, asked: string, answer: Answer | null])[];

/** The commands of one box by their senders' message ids, so that each is carried out once. */
export class CommandMemory {
  readonly #answers = new Map<string, Remembered>();
  readonly #known = new Map<string, Answer>();
  readonly #onChanged: (when: 'now' | 'soon') => void | Promise<void>;

  /**
   * @param saved what another process has remembered that was in charge of the box before
   * @param onChanged called with `now` before a command has an effect: then it must be saved first, which may take a while
   */
  constructor(saved: SavedCommands = [], onChanged: (when: 'now' | 'soon') => void | Promise<void> = () => {}) {
    this.#onChanged = onChanged;
    for (const [key, asked, answer] of saved) {
      const known: Answer = answer ?? { ok: true, result: null };
      this.#answers.set(key, { asked, answer: Promise.resolve(known), onlyAsks: false });
      this.#known.set(key, known);
    }
  }

  get(key: string): Remembered | undefined {
    return this.#answers.get(key);
  }

  /** Carries out a command and remembers it. @param onlyAsks it changes nothing */
  remember(key: string, asked: string, carryOut: () => Promise<Answer>, onlyAsks = false): Promise<Answer> {
    let settle: (answer: Promise<Answer>) => void = () => {};
    const later = new Promise<Answer>((resolve) => {
      settle = resolve;
    });
    this.#answers.set(key, { asked, answer: later, onlyAsks });
    const saving = onlyAsks ? undefined : this.#onChanged('now');
    settle(saving instanceof Promise ? saving.then(carryOut) : carryOut());
    void later.then((answer) => {
      if (onlyAsks || JSON.stringify(answer).length > SAVED_ANSWER_MAX || !this.#answers.has(key)) return;
      this.#known.set(key, answer);
      void this.#onChanged('soon');
    });
    this.#forgetOldest();
    return later;
  }

  save(): SavedCommands {
    const last = [...this.#answers].filter(([, { onlyAsks }]) => !onlyAsks).slice(-SAVED_MAX);
    return last.map(([key, { asked }]) => [key, asked, this.#known.get(key) ?? null]);
  }

  #forgetOldest(): void {
    if (this.#answers.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#answers.keys();
    if (oldest === undefined) return;
    this.#answers.delete(oldest);
    this.#known.delete(oldest);
  }
}
