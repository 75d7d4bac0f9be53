import type { LiveBox } from './box.js';

/** The boxes in memory: those that run, and those that have ended a short time ago. */
export class Boxes {
  readonly #byId = new Map<string, LiveBox>();
  readonly #byUser = new Map<string, Set<LiveBox>>();
  readonly #byHost = new Map<string, Set<LiveBox>>();
  readonly #byJob = new Map<string, Set<LiveBox>>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): LiveBox | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<LiveBox> {
    return this.#byId.values();
  }

  ofUser(user: string): Iterable<LiveBox> {
    return this.#byUser.get(user) ?? [];
  }

  ofHost(host: string): Iterable<LiveBox> {
    return this.#byHost.get(host) ?? [];
  }

  /** The boxes of exactly this job id, whoever's it is. */
  ofJob(job: string): Iterable<LiveBox> {
    return this.#byJob.get(job) ?? [];
  }

  users(): Iterable<readonly [string, Iterable<LiveBox>]> {
    return this.#byUser;
  }

  hosts(): Iterable<readonly [string, Iterable<LiveBox>]> {
    return this.#byHost;
  }

  add(box: LiveBox): void {
    const { box: id, user, host, job } = box.identity;
    this.#byId.set(id, box);
    into(this.#byUser, user, box);
    into(this.#byHost, host, box);
    into(this.#byJob, job, box);
  }

  remove(box: LiveBox): void {
    const { box: id, user, host, job } = box.identity;
    if (this.#byId.get(id) !== box) return;
    this.#byId.delete(id);
    from(this.#byUser, user, box);
    from(this.#byHost, host, box);
    from(this.#byJob, job, box);
  }
}

function into(index: Map<string, Set<LiveBox>>, name: string, box: LiveBox): void {
  const known = index.get(name);
  if (known === undefined) index.set(name, new Set([box]));
  else known.add(box);
}

function from(index: Map<string, Set<LiveBox>>, name: string, box: LiveBox): void {
  const boxes = index.get(name);
  boxes?.delete(box);
  if (boxes?.size === 0) index.delete(name);
}
