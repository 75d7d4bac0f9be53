import { type Keeper, type KeeperEvent, type Peer, type SignalDelivery, userName } from 'cgroup-utils-native';
import type { BrokerLink } from '../amqp/index.js';
import type { Box } from '../box/box.js';
import { systemTime } from '../box/time.js';
import { describeError } from '../errors.js';
import { createLogger, type Logger } from '../log.js';
import type { NodeLink, Owner } from '../node-link/index.js';
import type { SpecInput } from '../options/assemble.js';
import type { BoxSpec } from '../options/spec.js';
import type { Environment } from '../scheduler/identity.js';
import type * as NoticeBundle from '../supervise/notice.js';
import type { Run, RunOptions } from '../supervise/run.js';
import { Holds } from './holds.js';
import { type Recording, replay } from './recorded.js';
import { type SavedHosting, Saving } from './saving.js';
import type { Turns } from './turns.js';

export type Hello = Extract<KeeperEvent, { type: 'hello' }>;
type Origin = Extract<KeeperEvent, { type: 'origin' }>;
export type Resumed = Extract<KeeperEvent, { type: 'resumed' }>;

/** What the agent gives each box. */
export interface Host
  extends Pick<RunOptions, 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'>,
    Pick<SpecInput, 'files' | 'loadYaml'> {
  /** The agent's own options: its broker is that of every box. */
  readonly spec: BoxSpec;
  readonly log: Logger;
  readonly link: NodeLink;
  readonly loadNotice: () => typeof NoticeBundle;
  /** Boxes begin one after the other, before anything else. */
  readonly turns: Turns;
}

/** What a keeper has told of its box. */
export interface Told {
  readonly keeper: Keeper;
  readonly hello: Hello;
  readonly origin: Origin;
  /** Null: the box begins. */
  readonly resumed: Resumed | null;
  /** The process at the other end, whose user the kernel vouches for. */
  readonly peer: Pick<Peer, 'pid' | 'uid'>;
}

export interface HostedBox {
  /** Undefined until it is made. */
  readonly box: Box | undefined;
  onKeeper(event: KeeperEvent): void;
  /** The next agent goes on with the box: this one says nothing more of it. */
  released(): void;
}

/** Signals, and events of the keeper, that wait for the box. */
const EARLY = 64;

/**
 * One box of the node, whether its job was launched or adopted. Its keeper is the connection, and its front end hears of the
 * outcome through the keeper.
 */
export abstract class Hosting<T extends Told = Told> implements HostedBox {
  box: Box | undefined;
  protected readonly owner: Owner;
  protected run: Run | undefined;
  /** How the groups of the box were made. */
  protected readonly groups: Recording[number][] = [];
  /** Signals that have come before there was a box. */
  readonly #early: SignalDelivery[] = [];
  /** Events that have come before there was a box: a job that another agent has begun may have ended meanwhile. */
  readonly #events: KeeperEvent[] = [];
  readonly #holds: Holds;
  #saving: Saving | undefined;
  #over = false;
  #released = false;

  constructor(
    protected readonly host: Host,
    protected readonly told: T,
    readonly onEnded: () => void,
  ) {
    this.owner = { uid: told.peer.uid, user: userName(told.peer.uid) };
    this.#holds = new Holds(told.keeper);
  }

  /** Makes the box, or goes on with one. An error of one box is told at that box, and does not affect the others. */
  abstract begin(): Promise<void>;

  /** Begins in its turn, unless the connection has ended before. */
  beginInTurn(): void {
    this.host.turns.begin(async () => {
      if (!this.#over) await this.begin();
    });
  }

  onKeeper(event: KeeperEvent): void {
    if (this.run === undefined) this.#take(event);
    else this.host.turns.after(() => this.#take(event));
  }

  #take(event: KeeperEvent): void {
    if (event.type === 'delivery') return this.#signal(event);
    if (event.type === 'held') return this.#holds.heard(event.totalMs);
    if (this.run !== undefined) this.run.onKeeper(event);
    else if (this.#events.length < EARLY) this.#events.push(event);
    if (event.type === 'gone') this.end();
  }

  released(): void {
    this.#released = true;
    this.#saving?.end();
  }

  /** The box is supervised from now on. @param first what it learns before the events that have come */
  protected supervised(run: Run, first: readonly KeeperEvent[] = []): void {
    this.run = run;
    for (const event of [...first, ...this.#events.splice(0)]) run.onKeeper(event);
    for (const delivery of this.#early.splice(0)) this.#signal(delivery);
  }

  /** Until it has been acted on, the front end passes it to the next agent if this one is lost. */
  #signal(delivery: SignalDelivery): void {
    const heard = () => {
      if (!this.#over) this.told.keeper.toFront({ type: 'heard', first: delivery.signal });
    };
    if (this.run !== undefined) void this.run.onSignal(delivery).then(heard);
    else if (this.#early.length < EARLY) this.#early.push(delivery);
    else heard();
  }

  /** Makes the objects of a box that another agent has begun, and nothing in the kernel. */
  protected replayed<Result>(task: Parameters<typeof replay<Result>>[0], groups: Recording): Result {
    this.groups.push(...groups);
    return replay(task, groups);
  }

  /** Gives the keeper what the next agent needs, from now on. */
  protected save(commands?: SavedHosting['commands']): Saving {
    this.#saving = new Saving(this.told.keeper, this.groups, () => this.box, commands);
    return this.#saving;
  }

  /** The part of RunOptions that a box with a link of its own has differently. */
  protected linked(saving: Saving): Pick<RunOptions, 'loadAmqp'> &
    Required<Pick<RunOptions, 'time'>> & {
      link(box: Box, spec: BoxSpec): BrokerLink;
    } {
    return {
      loadAmqp() {
        throw new Error('a box with an agent has no link of its own');
      },
      link: (box, spec) => this.#attach(box, spec, saving),
      time: { ...systemTime, watchSuspension: this.#holds.watch },
    };
  }

  /** The box ends without waiting for the broker: the node's link goes on delivering its messages. */
  #attach(box: Box, spec: BoxSpec, saving: Saving): BrokerLink {
    const link = this.host.link.attach(box, spec, this.owner, saving.commands);
    return {
      // What the keeper does not answer any more would otherwise look like the end of the box.
      publish: (message) => (this.#released ? undefined : link.publish(message)),
      audit: (event) => link.audit(event),
      state: () => link.state(),
      get dropped() {
        return link.dropped;
      },
      async close() {
        void link.close(0);
        return { undelivered: 0, spooled: null, given: 'time' };
      },
    };
  }

  /** Tells the front end what to do in the time without an agent. */
  protected rule({ endSignal, graceMs, linger, reraise }: BoxSpec): void {
    const flags = (linger ? 1 : 0) | (reraise ? 2 : 0);
    this.told.keeper.toFront({ type: 'rules', first: endSignal, second: flags, ms: graceMs });
  }

  /** Publishes the event `unboxed`: the process runs without its box. @param keys whose keys the event has */
  protected tellUnboxed(why: string, environment: Environment, keys: BoxSpec): void {
    const { loadNotice, loadYaml, spec: own } = this.host;
    const spec = { ...keys, uris: own.uris, rascalConfig: own.rascalConfig };
    const notice = { words: [], settings: [], environment, why, loadYaml, spec, user: this.owner.user };
    void loadNotice().tellUnboxed(notice);
  }

  /** The box cannot be gone on with: its keeper and front end do what is due until its end. */
  protected leave(error: unknown): void {
    const why = describeError(error, this.told.hello.debug);
    this.say('warn', `the agent cannot go on with this box, and its statistics end: ${why}`);
    this.host.log.warn(`a box of ${this.owner.user} cannot be gone on with: ${why}`);
    this.told.keeper.leave();
    this.end();
  }

  /** Writes a line to the stderr of the box. */
  protected say(level: 'error' | 'warn', message: string): void {
    const write = (text: string) => this.told.keeper.toFront({ type: 'say', text });
    createLogger('warn', { write })[level](message);
  }

  /** Tells the front end how to end. @param signal to die of; null: none */
  protected outcome(exitStatus: number, signal: number | null = null): void {
    this.#saving?.end();
    this.told.keeper.toFront({ type: 'outcome', first: exitStatus, second: signal ?? 0 });
    this.told.keeper.close();
  }

  protected end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#saving?.end();
    this.told.keeper.close();
    this.onEnded();
  }
}

/** That the keeper has acted on its deadline, if it has. */
export function expiry({ expiredMs }: Pick<Resumed, 'expiredMs'>): KeeperEvent[] {
  return expiredMs === null ? [] : [{ type: 'expired', atMs: expiredMs }];
}
