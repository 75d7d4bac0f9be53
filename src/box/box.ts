import type { Keeper, KeeperEvent, KeeperUsage, ProcessRow, Unkillable } from 'cgroup-utils-native';
import { shown } from '../bytes.js';
import type { Logger } from '../log.js';
import {
  type By,
  type CommandEvent,
  createEventSource,
  type EventBody,
  type EventHead,
  type Exited,
} from '../model/event.js';
import type { ProcessInfo, SampleCause } from '../model/sample.js';
import type { Answer, BoxState, Command, Controllable, Outgoing, Requester } from '../model/types.js';
import { duration } from '../options/amounts.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { processInfo } from '../stats/assemble.js';
import { toBy } from '../stats/audit.js';
import { exitedEvent } from '../stats/end.js';
import type { Sampler } from '../stats/sampler.js';
import { redactUri } from '../text.js';
import { Commands } from './commands.js';
import { createFirstCause } from './first-cause.js';
import { createIncidents, type Incidents } from './incidents.js';
import { BEGIN, boxState, type Effect, type Input, SIGKILL, step } from './lifecycle.js';
import { cpuLimit, initialLimits, type Limits, timeoutStatus, withSources } from './limits.js';
import { createNear, type Near, share } from './near.js';
import { decideOutcome, type MainExit, type Outcome } from './outcome.js';
import type { ResourceControl } from './resource-control.js';
import { createTicker, type Ticker } from './ticker.js';
import type { Time } from './time.js';
import { createWallClock, type Mark, type WallClock } from './timer.js';
import type { WatchedName } from './watchdog.js';
import { whyEnded } from './why.js';

export interface BoxOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  /** A process that ran before its box was made: its end is not ours, and how it ended may be unknown. */
  readonly adopted: boolean;
  /** SIGKILL to everything in the box's control group at once, where the kernel can do that; must not throw. Returns their number. */
  readonly killGroup: () => number;
  /** Limits of the box as a whole, in force already. */
  readonly resources: ResourceControl;
  readonly stdoutMode: Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];
  readonly log: Logger;
  readonly time: Time;
  /** Made once the job runs. */
  readonly createSampler: (box: Box, pid: number, startedMs: number) => Sampler;
  /** Somebody gets the samples: without a broker and a report only the watchdog looks at the box. */
  readonly observed: boolean;
  /** Time left for the job since its scheduler has asked it to end, ms. */
  readonly schedulerGraceMs: () => number;
  /** Samples and events, in order; must not throw. */
  readonly emit: (message: Outgoing) => void;
  /** Gets each command's event as well; must not throw. @default nobody does */
  readonly audit?: (event: EventHead & CommandEvent) => void;
  /** Messages given up so far. */
  readonly dropped: () => number;
  /** State of the link to the broker, for `status`. */
  readonly brokerState: () => unknown;
  /** By then, monotonic ms, nothing of the box may run any more; 0: for now no such time. @default nobody wants to know */
  readonly onDeadline?: (endMs: number) => void;
  readonly onStarted: () => void;
  readonly onEnded: (end: BoxEnd) => void;
}

export interface BoxEnd {
  readonly outcome: Outcome;
  readonly elapsedMs: number;
  /** Why the job ended and who asked, for people; null where its exit status says everything. */
  readonly why: string | null;
  /** Null where nobody gets it; see `observed`. */
  readonly report: (EventHead & Exited) | null;
}

/** One job under control: runs the effects of its life, carries out commands, tells what happens. */
export class Box implements Controllable {
  readonly identity: JobIdentity;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly near: Near;
  readonly #options: BoxOptions;
  readonly #emitEvent: <Body extends EventBody>(body: Body) => EventHead & Body;
  readonly #ticker: Ticker;
  readonly #incidents: Incidents;
  readonly #commands: Commands;
  readonly #cause = createFirstCause();
  /** Its last event is out; what comes now is for the audit log alone. */
  #over = false;
  #life = BEGIN;
  #pid = 0;
  #startedMs = 0;
  #sequence = 0;
  #sampler: Sampler | undefined;
  #firstSample: Promise<unknown> = Promise.resolve();
  #main: MainExit | null = null;
  #elapsedMs = 0;
  readonly #named = new Set<number>();
  #left: readonly Unkillable[] = [];
  #cpuUsec = 0;
  #graceEndsMs = Number.POSITIVE_INFINITY;
  /** What was used of the limit that ends the job. */
  #used: number | null = null;
  readonly #limitSetBy = new Map<string, By>();
  #suspendedBy: By | null = null;
  #warned: number | null = null;
  readonly #grace: ReturnType<Time['createTimer']>;
  /** Fires in the next turn of the event loop. */
  readonly #nextTurn: ReturnType<Time['createTimer']>;

  constructor(options: BoxOptions) {
    const { spec, identity, time } = options;
    this.#options = options;
    this.identity = identity;
    this.limits = withSources([...initialLimits(spec, options.stdoutMode), ...options.resources.limits], spec);
    this.clock = createWallClock({
      limitMs: spec.timeoutMs,
      time,
      onExpired: () => this.#timeout(),
      onArmed: (atMs) => this.#deadline(atMs),
      marks: this.#marks(spec),
      onGap: (ms) => this.#wasSuspended(ms),
    });
    this.#ticker = createTicker(time, () => {
      this.#sampleQuietly('interval');
    });
    this.#grace = time.createTimer(() => void this.#apply({ type: 'graceOver' }));
    this.#nextTurn = time.createTimer(() => this.#othersLeft());
    this.#emitEvent = createEventSource({
      identity,
      state: () => this.state,
      sequence: () => this.nextSequence(),
      emit: (_event, outgoing) => {
        if (!this.#over) options.emit(outgoing);
      },
    });
    const tell = (body: EventBody) => this.#tell(body);
    this.near = createNear({ thresholds: spec.near, limits: this.limits, tell });
    const lastSample = () => this.#sampler?.last;
    this.#incidents = createIncidents({
      ...options,
      limits: this.limits,
      tell,
      lastSample: () => lastSample()?.sample,
    });
    this.#commands = new Commands({
      ...options,
      now: time.now,
      limits: this.limits,
      clock: this.clock,
      ticker: this.#ticker,
      life: () => this.#life,
      state: () => this.state,
      main: () => ({ pid: this.#pid, startedMs: this.#startedMs }),
      sample: (cause) => this.sample(cause),
      lastSample,
      apply: (input) => this.#apply(input),
      tell,
    });
  }

  get state(): BoxState {
    return boxState(this.#life);
  }

  get pid(): number {
    return this.#pid;
  }

  /** Next number of the box's one sequence of samples and events. */
  nextSequence(): number {
    return ++this.#sequence;
  }

  /** What the keeper tells; `hello`, `failed` and the launch itself are the composition root's. */
  onKeeper(event: KeeperEvent): void {
    switch (event.type) {
      case 'started':
        return this.#started(event.pid, event.atMs);
      case 'exited':
        return this.#mainEnded(event, event.atMs, event.usage);
      case 'stdoutlimit':
        return this.#stdoutLimit(event.bytes);
      case 'expired':
        return this.#expired(event.atMs);
      case 'continued':
        // Somebody else has let the main process go on: its time counts again.
        if (this.isPaused) void this.unpause({ via: 'box' });
        return;
      case 'unkillable':
        return this.#unkillable(event.processes, event.final);
      case 'stdoutmark':
        this.near.used('stdoutlimit', event.bytes);
        return this.#markStdout();
      case 'empty':
        void this.#ended(event.usage);
        return;
      case 'gone':
        void this.#ended(undefined);
        return;
      default:
        return;
    }
  }

  /** An end is being asked for; `stop` follows. @param atMs CLOCK_MONOTONIC, when the signal came */
  asked(reason: 'stopped' | 'scheduler', by: Requester, atMs: number): void {
    void this.#apply({ type: 'asked', reason, by }, atMs);
  }

  /** The keeper got a signal as well. @param signal its name, with `SIG` */
  witnessed(signal: string, atMs: number): void {
    this.#cause.witnessed(signal, atMs);
  }

  /** The stop ladder; `signal` is what the job's group gets first, null where it has it already. */
  stop(
    reason: 'stopped' | 'scheduler' | 'timeout' | 'stdoutlimit',
    by: Requester,
    signal: number | null,
    graceMs: number,
  ): Promise<number> {
    const withinMs = reason === 'scheduler' ? this.#schedulersGrace(graceMs) : graceMs;
    return this.#apply({ type: 'stop', reason, by, signal, graceMs: withinMs });
  }

  /** The wall clock limit follows the end of the scheduler's job. @param limitMs from the job's start; 0 means none */
  followScheduler(limitMs: number): void {
    const from = this.limits.get('timeout') ?? null;
    const to = timeoutStatus(limitMs, 'scheduler');
    this.clock.limit(limitMs);
    this.limits.set('timeout', to);
    this.#tell({ event: 'limit_changed', limit: 'timeout', from, to, by: { via: 'box' } });
  }

  /** A SIGTSTP has stopped every process: the next SIGCONT to the wrapper lets them go on. */
  paused(by: Requester): void {
    if (this.#life.phase !== 'running' || this.#life.suspended !== null) return;
    void this.#apply({ type: 'paused' });
    this.clock.hold(true);
    this.#options.log.info(`${by.signal} has suspended the job; SIGCONT lets it go on`);
    this.#tell({ event: 'suspended', by: toBy(by) });
  }

  get isPaused(): boolean {
    return this.#life.suspended === 'signal';
  }

  /** Undoes `paused`. */
  async unpause(by: Requester): Promise<void> {
    await this.#apply({ type: 'resume' });
    this.clock.hold(false);
    this.#tell({ event: 'resumed', by: toBy(by) });
  }

  /** SIGKILL to everything. */
  kill(by: Requester): Promise<number> {
    return this.#apply({ type: 'kill', reason: 'killed', by, signal: 9 });
  }

  /** Ends the supervision of an adopted process, which goes on within its limits. */
  async release(by: Requester): Promise<void> {
    if (this.#life.phase === 'ended') return;
    await this.sample('signal');
    this.#grace.stop();
    this.#ticker.stop();
    this.#options.resources.stop();
    this.clock.close(this.#options.time.now());
    this.#options.log.info('the supervision has ended; the process goes on within its limits');
    this.#tell({ event: 'released', by: toBy(by) });
    this.#over = true;
    void this.#apply({ type: 'ended' });
  }

  /** The watchdog's word: a limit that no control group holds was passed. */
  exceeded(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    const { spec, log } = this.#options;
    const status = this.limits.get(name);
    this.#used ??= Math.round(used);
    log.debug(`${name} is over its limit: ${Math.round(used)} of ${limit}`);
    this.near.used(name, Math.round(used));
    if (status !== undefined) {
      const largest = processes.length > 0 ? processes.map(processInfo) : this.#largest();
      this.#tell({ event: 'limit_exceeded', limit: name, status, used: Math.round(used), processes: largest });
    }
    const by = { via: 'limit' } as const;
    if (name === 'cpu-time')
      void this.#apply({ type: 'stop', reason: 'cpu', by, signal: spec.endSignal, graceMs: spec.graceMs });
    else void this.#apply({ type: 'kill', reason: name, by, signal: SIGKILL });
    this.#sampleQuietly('limit');
  }

  /** One sample; never rejects. A failing sampler never disturbs the job. */
  async sample(cause: SampleCause): Promise<unknown> {
    const before = this.#largest();
    try {
      const taken = await this.#sampler?.take(cause);
      if (taken !== undefined && this.#life.phase !== 'ended') {
        // The sample that sees a kill may find its victim without memory: then it is the one before that tells.
        const now = taken.sample.Processes;
        this.#incidents.notice((now[0]?.rss ?? 0) < (before[0]?.rss ?? 0) ? before : now, taken.cgroup);
        for (const line of this.#options.resources.lost()) this.#options.log.warn(line);
      }
      return taken?.sample;
    } catch (error) {
      this.#options.log.warn(`no sample: ${(error as Error).message}`);
      return undefined;
    }
  }

  execute(command: Command, by: Requester): Promise<Answer> {
    return this.#commands.execute(command, by);
  }

  refused(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void {
    this.#commands.turnedDown(answer, by, command, args);
  }

  /** The largest processes as last walked. */
  #largest(): readonly ProcessInfo[] {
    return this.#sampler?.last?.sample.Processes ?? [];
  }

  #started(pid: number, atMs: number): void {
    const { spec, stdoutMode, onStarted } = this.#options;
    this.#pid = pid;
    this.#startedMs = atMs;
    void this.#apply({ type: 'started' });
    this.clock.start(atMs);
    this.#options.resources.start();
    this.#sampler = this.#options.createSampler(this, pid, atMs);
    this.#tell({
      event: 'started',
      pid,
      adopted: this.#options.adopted,
      executable: redactUri(shown(spec.command[0] ?? '')),
      argument_count: Math.max(0, spec.command.length - 1),
      stdout_mode: stdoutMode,
      sample_interval_ms: spec.sampleIntervalMs,
      limits: Object.fromEntries(this.limits),
    });
    this.#markStdout();
    if (spec.ignored !== undefined) this.#tell({ event: 'options_ignored', why: spec.ignored });
    if (this.#options.observed) this.#firstSample = this.sample('start');
    if (this.#options.observed) this.#ticker.every(spec.sampleIntervalMs);
    onStarted();
  }

  #mainEnded(main: MainExit, atMs: number, usage: KeeperUsage): void {
    const { spec } = this.#options;
    this.#main = { code: main.code, signal: main.signal, coreDumped: main.coreDumped };
    if (!spec.linger) this.clock.close(atMs);
    // What is left of a box that lingers may still be ended by a limit or a command.
    if (!spec.linger) this.#cause.mainEnded(atMs);
    this.#elapsedMs = atMs - this.#startedMs;
    this.#cpuUsec = usage.userUsec + usage.systemUsec;
    void this.#apply({ type: 'mainEnded' });
    // Where nothing is left, `empty` arrives before the next turn.
    this.#nextTurn.start(0);
  }

  #othersLeft(): void {
    if (this.#life.phase === 'ended') return;
    const { log, spec, time } = this.#options;
    const { endSignal: signal, linger } = spec;
    // Its signal has reached the rest as well, and its SIGKILL follows.
    const spare = this.#life.ending?.reason === 'scheduler';
    const graceMs = spare ? this.#schedulersGrace(spec.graceMs) : spec.graceMs;
    log.debug(`the main process has ended after ${Math.round(time.now() - this.#startedMs)} ms, others have not`);
    void this.#apply({ type: 'leftovers', signal, graceMs, linger, spare });
  }

  /** The scheduler kills by itself: the job has the time until then, less what the box still has to tell. */
  #schedulersGrace(graceMs: number): number {
    const mostMs = this.#options.schedulerGraceMs();
    const uncapped = !this.#options.spec.graceAsked && mostMs !== Number.POSITIVE_INFINITY;
    return uncapped ? mostMs : Math.min(graceMs, mostMs);
  }

  #timeout(): void {
    const { spec, log } = this.#options;
    const status = this.limits.get('timeout');
    log.debug(`the time limit of ${this.clock.limitMs} ms is over: stopping the job`);
    if (status !== undefined) {
      this.#tell({
        event: 'limit_exceeded',
        limit: 'timeout',
        status,
        used: this.clock.status().elapsed_ms,
        processes: [],
      });
    }
    void this.#sampleThenStop('timeout', { via: 'limit' }, spec.endSignal);
  }

  /** The keeper has stopped the job in our stead: this process was stopped, or too busy. */
  #expired(atMs: number): void {
    const { spec, log } = this.#options;
    if (this.#life.ending !== null) return;
    log.warn(`the wall clock limit of ${this.clock.limitMs / 1000} s was over, and the keeper has stopped the job`);
    // The job may have ended of it long before this process goes on and hears of either.
    void this.#apply(
      { type: 'stop', reason: 'timeout', by: { via: 'limit' }, signal: null, graceMs: spec.graceMs },
      atMs,
    );
  }

  /** What the keeper, and after it the front end, do where this process does not. A ladder that runs has its own end. */
  #deadline(timeoutAtMs: number): void {
    const { spec, keeper, onDeadline } = this.#options;
    const { graceMs, endSignal: signal } = spec;
    const runs = Number.isFinite(this.#graceEndsMs);
    const [stopAtMs, killAtMs] = runs ? [0, this.#graceEndsMs] : [timeoutAtMs, 0];
    keeper.deadline({ stopAtMs, killAtMs, graceMs, signal });
    onDeadline?.(killAtMs || (stopAtMs && stopAtMs + graceMs));
  }

  /** Reported once at the limit; again only where the job went on writing to its file: then it has no more grace. */
  #stdoutLimit(bytes: number): void {
    const { spec, log } = this.#options;
    if (this.#life.ending?.reason === 'stdoutlimit') {
      void this.#apply({ type: 'graceOver' });
      return;
    }
    const status = this.limits.get('stdoutlimit');
    log.debug(`stdout has reached its limit of ${status?.value} bytes: stopping the job`);
    this.near.used('stdoutlimit', bytes);
    void this.stop('stdoutlimit', { via: 'limit' }, spec.endSignal, spec.graceMs);
    if (status !== undefined)
      this.#tell({ event: 'limit_exceeded', limit: 'stdoutlimit', status, used: bytes, processes: [] });
    this.#sampleQuietly('limit');
  }

  async #sampleThenStop(reason: 'timeout', by: Requester, signal: number): Promise<void> {
    await this.sample('limit');
    await this.stop(reason, by, signal, this.#options.spec.graceMs);
  }

  /** SIGKILL does not end everybody: each is named once, and again where the end no longer waits. */
  #unkillable(processes: readonly Unkillable[], final: boolean): void {
    this.#left = final ? processes : [];
    if (final) this.#main ??= { code: null, signal: null, coreDumped: false };
    for (const { pid, name, reason } of processes) {
      if (!final && this.#named.has(pid)) continue;
      this.#named.add(pid);
      const what = `pid ${pid} (${name})`;
      this.#options.log.warn(`${final ? 'left behind' : 'SIGKILL has not ended'}: ${what}: ${reason}`);
    }
  }

  /** Before the wall clock limit: the thresholds of --near, and the warning signal. */
  #marks({ near, warnSignal }: BoxSpec): Mark[] {
    const thresholds = near.map((percent): Mark => {
      const used = (atMs: number) => Math.max(this.clock.status().elapsed_ms, Math.ceil(atMs));
      const onReached = (atMs: number) => this.near.used('timeout', used(atMs));
      return { atMs: (limitMs) => share(limitMs, percent), onReached, again: true };
    });
    if (warnSignal === undefined) return thresholds;
    const { signal, beforeMs } = warnSignal;
    const warning: Mark = {
      atMs: (limitMs) => Math.max(0, limitMs - beforeMs),
      onReached: () => this.#warn(signal),
      again: false,
    };
    return [...thresholds, warning];
  }

  #warn(signal: number): void {
    if (this.#life.phase !== 'running') return;
    this.#warned = signal;
    this.#options.keeper.signal('group', signal).catch((error: Error) => {
      this.#options.log.debug(`--warn-signal: ${error.message}`);
    });
    const remaining = this.clock.status().remaining_ms ?? 0;
    this.#tell({ event: 'warned', signal: `SIG${signalName(signal)}`, remaining_ms: remaining });
  }

  /** The keeper counts stdout, and says when the next threshold is reached. */
  #markStdout(): void {
    if (this.#options.spec.near.length === 0) return;
    const bytes = this.near.next('stdoutlimit');
    this.#options.keeper.stdoutMark(Math.ceil(bytes ?? 0)).catch((error: Error) => {
      this.#options.log.debug(`--near: ${error.message}`);
    });
  }

  /** The scheduler had stopped or frozen the wrapper, and the job with it. */
  #wasSuspended(ms: number): void {
    this.#options.log.info(`the wrapper was suspended for ${duration(ms)}; the wall clock limit does not count it`);
    const by = { via: 'box' } as const;
    this.#tell({ event: 'suspended', by });
    this.#tell({ event: 'resumed', by });
  }

  #sampleQuietly(cause: SampleCause): void {
    void this.sample(cause);
  }

  async #ended(usage: KeeperUsage | undefined): Promise<void> {
    if (this.#life.phase === 'ended') return;
    const { log } = this.#options;
    if (usage === undefined && this.#main === null) {
      const { adopted } = this.#options;
      log.error(
        `the keeper has died; ${adopted ? 'what was adopted goes on alone' : 'the rest of the job was killed'}`,
      );
    }
    this.#grace.stop();
    this.#ticker.stop();
    this.#options.resources.stop();
    this.clock.close(this.#options.time.now());
    await this.#firstSample;
    await this.#commands.close();
    if ((this.#life.phase as string) === 'ended') return;
    this.#incidents.notice(this.#largest());
    // A sample may have seen the kill before the process had ended.
    const { oomKilled } = this.#incidents;
    const evidence = { rlimits: cpuLimit(this.limits), cpuUsec: this.#cpuUsec, oomKilled };
    const decided = decideOutcome(this.#cause.of(this.#life), this.#main, evidence);
    const { exitStatus, reason, by, ...main } = decided;
    void this.#apply({ type: 'ended' });
    const outcome: Outcome = { exitStatus, reason, by, ...main };
    const elapsedMs = Math.round(this.#elapsedMs || this.#options.time.now() - this.#startedMs);
    const why = this.#whyEnded(outcome);
    if (!this.#options.observed) {
      this.#options.onEnded({ outcome, elapsedMs, why, report: null });
      return;
    }
    const taken = this.#sampler?.final(usage);
    if (taken === undefined) return;
    const report = this.#emitEvent(
      exitedEvent(taken.sample, {
        ...main,
        exitStatus,
        reason,
        by,
        why,
        signal: main.signal === null ? null : `SIG${signalName(main.signal)}`,
        elapsedMs,
        suspendedMs: this.clock.suspendedMs,
        refusedCommands: this.#commands.refusedCount,
        left: this.#left,
      }),
    );
    this.#over = true;
    this.#options.onEnded({ outcome, elapsedMs, why, report });
  }

  #whyEnded(outcome: Outcome): string | null {
    const { oom } = this.#incidents;
    const by = this.#suspendedBy;
    const why = whyEnded(outcome, {
      limits: this.limits,
      origins: this.#options.spec.limitOrigins,
      lastKill: this.#life.lastKill,
      limitSetBy: this.#limitSetBy,
      suspended: by === null ? null : { by, ms: this.clock.suspendedMs },
      used: this.#used,
      oom,
      warnSignal: this.#warned,
    });
    this.#incidents.close(outcome.reason === 'oom');
    return why;
  }

  #tell(body: EventBody): void {
    const event = this.#emitEvent(body);
    if (event.event === 'command') this.#options.audit?.(event);
    if (event.event === 'limit_changed') this.#limitSetBy.set(event.limit, event.by);
    if (event.event === 'limit_changed' && event.limit === 'stdoutlimit') this.#markStdout();
    if (event.event === 'suspended' && event.by.via !== 'box') this.#suspendedBy = event.by;
  }

  /** Takes one step of the life; resolves to the number of processes that were signalled. */
  #apply(input: Input, atMs = this.#options.time.now()): Promise<number> {
    const wasSuspended = this.#life.suspended !== null;
    const [life, effects] = step(this.#life, input);
    this.#cause.stepped(this.#life, life, atMs);
    this.#life = life;
    if (wasSuspended && life.suspended === null && input.type !== 'resume') this.clock.hold(false);
    let done: Promise<number> = Promise.resolve(0);
    // Requests are sent at once and in order; the keeper answers in order.
    for (const effect of effects) {
      const request = this.#run(effect);
      if (request === undefined) continue;
      done = request.catch((error: Error) => {
        // The keeper has ended and has killed its box: `gone` tells.
        this.#options.log.debug(`${input.type}: ${error.message}`);
        return 0;
      });
    }
    return done;
  }

  /** The group first, without a hop to the keeper; it takes what is left, and goes on until that is nothing. */
  async #kill(): Promise<number> {
    const inGroup = this.#options.killGroup();
    // Where nobody asked for the end, what the job has written waits for its reader.
    return Math.max(inGroup, await this.#options.keeper.kill(this.#life.ending !== null));
  }

  /** A deadline moves earlier only: whoever asks again does not prolong it. */
  #graceUntil(atMs: number): void {
    if (atMs >= this.#graceEndsMs) return;
    this.#graceEndsMs = atMs;
    this.#grace.start(Math.max(0, Math.ceil(atMs - this.#options.time.now())));
    this.#deadline(0);
  }

  #run(effect: Effect): Promise<number> | undefined {
    const { keeper } = this.#options;
    switch (effect.do) {
      case 'signal':
        return keeper.signal(effect.scope, effect.signal);
      case 'stop':
        return keeper.stop(effect.how, effect.signal);
      case 'kill':
        return this.#kill();
      case 'suspend':
        return keeper.suspend();
      case 'resume':
        return keeper.resume();
      case 'grace':
        this.#graceUntil(this.#options.time.now() + effect.ms);
        return undefined;
    }
  }
}
