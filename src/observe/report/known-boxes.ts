import { endReportOf } from '../model/end-report.js';
import type { Observed } from '../model/observed.js';
import { parseMessage, parseValue } from '../model/parse.js';
import { type BoxFacts, factsOfEnd, factsOfSample } from './facts.js';
import { groupBy } from './group.js';
import { belongsTo } from './job-report.js';

/** Collects what is known of boxes, from messages in any order, each any number of times. */
export class KnownBoxes {
  readonly #boxes = new Map<string, { readonly sequence: number; readonly facts: BoxFacts }>();
  /** Texts that were neither a sample nor an event. */
  unreadable = 0;

  /** @param body of a sample or an event */
  text(body: string | Buffer): void {
    this.#take(parseMessage(body));
  }

  /** @param value the same, parsed */
  value(value: unknown): void {
    this.#take(parseValue(value));
  }

  facts(facts: BoxFacts): void {
    this.#keep(facts, 0);
  }

  #take(message: Observed | { readonly kind: 'unreadable' }): void {
    if (message.kind === 'unreadable') {
      this.unreadable++;
      return;
    }
    if (message.kind === 'sample') return this.#keep(factsOfSample(message), message.sequence);
    const end = endReportOf(message);
    if (end !== null) this.#keep(factsOfEnd(end), message.sequence);
  }

  /** An end report tells everything, and of samples the last one does. */
  #keep(facts: BoxFacts, sequence: number): void {
    const { box } = facts.identity;
    const before = this.#boxes.get(box);
    const isNews =
      before === undefined ||
      (facts.ended && !before.facts.ended) ||
      (facts.ended === before.facts.ended && sequence > before.sequence);
    if (isNews) this.#boxes.set(box, { sequence, facts });
  }

  get count(): number {
    return this.#boxes.size;
  }

  /**
   * Boxes by job; an array is one job. Jobs of several clusters or users with the same id are several.
   * @param job the id that was asked for; undefined: every job
   */
  jobs(job: string | undefined): readonly { readonly job: string; readonly boxes: readonly BoxFacts[] }[] {
    const all = [...this.#boxes.values()].map(({ facts }) => facts);
    const nameOf = (box: BoxFacts) => job ?? arrayOf(box.identity.job);
    const wanted = job === undefined ? all : all.filter(({ identity }) => belongsTo(identity.job, job));
    const groups = groupBy(wanted, (box) => JSON.stringify([box.identity.cluster, box.identity.user, nameOf(box)]));
    return [...groups.values()].map((boxes) => ({ job: nameOf(boxes[0]!), boxes }));
  }
}

/** The id of the array that a job is a task of, or the job's own. */
function arrayOf(job: string): string {
  return /^(\d+)_\d+$/.exec(job)?.[1] ?? job;
}
