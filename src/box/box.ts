import type { KeeperEvent, KeeperUsage, ProcessRow } from 'cgroup-utils-native';
import { shown } from '../bytes.js';
import { type By, createEventSource, type EventBody, type EventHead } from '../model/event.js';
import type { SampleCause } from '../model/sample.js';
import type { Answer, BoxState, Command, Controllable, Requester } from '../model/types.js';
import type { JobIdentity } from '../options/spec.js';
import type { WatchedName } from '../options/table/limits.js';
import { toBy } from '../stats/audit.js';
import { redactUri } from '../text.js';
import type { BoxOptions, SampledBox } from './box-options.js';
import { Commands } from './commands.js';
import { endBox } from './ending.js';
import { createIncidents, type Incidents } from './incidents.js';
import { Life } from './life.js';
import { boxState } from './lifecycle.js';
import { initialLimits, type Limits, timeoutStatus, withSources } from './limits.js';
import { createNear, type Near } from './near.js';
import type { MainExit } from './outcome.js';
import { Reached } from './reached.js';
import { Sampling } from './sampling.js';
import type { SavedBox } from './saved.js';
import { Sequence } from './sequence.js';
import type { BoxStatus } from './status.js';
import type { Time } from './time.js';
import { createTimeLimit, type TimeLimit } from './time-limit.js';
import type { WallClock } from './timer.js';
import { createLeftBehind, type LeftBehind } from './unkillable.js';

/** One job under control: connects the parts of a box, handles the keeper's events, and carries out commands. */
export class Box implements Controllable, SampledBox {
  readonly identity: JobIdentity;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly near: Near;
  readonly #options: BoxOptions;
  readonly #sendEvent: <Body extends EventBody>(body: Body) => EventHead & Body;
  readonly #life: Life;
  readonly #timeLimit: TimeLimit;
  readonly #reached: Reached;
  readonly #sampling: Sampling;
  readonly #incidents: Incidents;
  readonly #commands: Commands;
  readonly #leftBehind: LeftBehind;
  /** The last event has been sent; later ones go to the audit log only. */
  #over = false;
  #pid = 0;
  #startedMs = 0;
  readonly #sequence: Sequence;
  #main: MainExit | null = null;
  #elapsedMs = 0;
  #cpuUsec = 0;
  readonly #limitSetBy: Map<string, By>;
  #suspendedBy: By | null;
  /** Fires in the turn of the event loop that follows the end of the main process. */
  readonly #afterMain: ReturnType<Time['createTimer']>;

  constructor(options: BoxOptions) {
    const { spec, identity, time, log } = options;
    this.#options = options;
    this.identity = identity;
    const { saved } = options;
    const limits = [...initialLimits(spec, options.stdoutMode), ...options.resources.limits];
    this.limits = saved === undefined ? withSources(limits, spec) : new Map(saved.limits);
    this.#sequence = new Sequence(saved?.sequence ?? 0, () => options.onChanged?.('now'));
    this.#limitSetBy = new Map(saved?.limitSetBy);
    this.#suspendedBy = saved?.suspendedBy ?? null;
    this.#leftBehind = createLeftBehind(log);
    this.#sendEvent = createEventSource({
      identity,
      state: () => this.state,
      sequence: () => this.nextSequence(),
      emit: (_event, outgoing) => {
        if (!this.#over) options.emit(outgoing);
      },
    });
    this.#life = new Life({ ...options, onWoken: () => this.clock.hold(false) }, saved);
    const parts = {
      ...options,
      life: this.#life,
      limits: this.limits,
      emitEvent: (body: EventBody) => this.#emitEvent(body),
      sample: (cause: SampleCause) => this.sample(cause),
    };
    this.near = createNear({ ...parts, thresholds: spec.near, saved: saved?.near });
    this.#timeLimit = createTimeLimit({ ...parts, near: this.near, onExpired: () => void this.#reached.time() });
    this.clock = this.#timeLimit.clock;
    this.#reached = new Reached({
      ...parts,
      near: this.near,
      clock: this.clock,
      largest: () => this.#sampling.largest,
    });
    this.#sampling = new Sampling({
      ...parts,
      onTaken: (...taken) => {
        this.#incidents.notice(...taken);
        options.onChanged?.('later');
      },
    });
    this.#afterMain = time.createTimer(() => this.#othersLeft());
    this.#incidents = createIncidents({
      ...parts,
      saved: saved?.incidents,
      lastSample: () => this.#sampling.last?.sample,
    });
    this.#commands = new Commands({
      ...parts,
      now: time.now,
      clock: this.clock,
      ticker: this.#sampling.ticker,
      life: () => this.#life.state,
      state: () => this.state,
      main: () => ({ pid: this.#pid, startedMs: this.#startedMs }),
      lastSample: () => this.#sampling.last,
      apply: (input) => this.#life.apply(input),
    });
  }

  get state(): BoxState {
    return boxState(this.#life.state);
  }

  get pid(): number {
    return this.#pid;
  }

  nextSequence(): number {
    return this.#sequence.next();
  }

  /** For another process that goes on with the box. */
  save(): SavedBox {
    return {
      version: 1,
      boxId: this.identity.box,
      sequence: this.#sequence.reserved,
      pid: this.#pid,
      startedMs: this.#startedMs,
      life: this.#life.save(),
      cause: this.#life.cause.save(),
      clock: this.clock.save(),
      near: this.near.save(),
      limits: [...this.limits],
      limitSetBy: [...this.#limitSetBy],
      suspendedBy: this.#suspendedBy,
      sampleIntervalMs: this.#sampling.ticker.intervalMs,
      used: this.#reached.used,
      warned: this.#timeLimit.warned(),
      refused: this.#commands.refusedCount,
      incidents: this.#incidents.save(),
      resources: this.#options.resources.save(),
      sampler: this.#sampling.sampler?.save() ?? null,
    };
  }

  /**
   * Goes on with a box that another process has begun; instead of the keeper's `started`.
   * @param expiredMs when the keeper has acted on its deadline; null if it has not
   */
  resume(saved: SavedBox, expiredMs: number | null): void {
    const { resources, createSampler, observed, onStarted } = this.#options;
    this.#pid = saved.pid;
    this.#startedMs = saved.startedMs;
    // Before the clock, whose limit may be over: the grace period has begun then and does not begin anew.
    this.#life.resume(saved.life);
    if (expiredMs !== null) this.#reached.timeByKeeper(expiredMs, saved.clock.limitMs);
    this.clock.restore(saved.clock);
    resources.restore(saved.resources);
    resources.start();
    this.#sampling.start(createSampler(this, saved.pid, saved.startedMs));
    this.#reached.markStdout();
    if (observed) this.#sampling.ticker.every(saved.sampleIntervalMs);
    onStarted();
  }

  /** Handles an event of the keeper. The composition root handles `hello`, `failed` and the launch itself. */
  onKeeper(event: KeeperEvent): void {
    switch (event.type) {
      case 'started':
        return this.#started(event.pid, event.atMs);
      case 'exited':
        return this.#mainEnded(event, event.atMs, event.usage);
      case 'stdoutlimit':
        return this.#reached.stdout(event.bytes);
      case 'expired':
        return this.#reached.timeByKeeper(event.atMs);
      case 'continued':
        // Another process has continued the main process, so its time counts again.
        if (this.isPaused) void this.unpause({ via: 'box' });
        return;
      case 'unkillable':
        if (event.final) this.#main ??= { code: null, signal: null, coreDumped: false };
        return this.#leftBehind.notice(event.processes, event.final);
      case 'stdoutmark':
        this.near.used('stdoutlimit', event.bytes);
        return this.#reached.markStdout();
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

  /** Records that the job's end was asked for; `stop` follows. @param atMs CLOCK_MONOTONIC, when the signal came */
  asked(reason: 'stopped' | 'scheduler', by: Requester, atMs: number): void {
    void this.#life.apply({ type: 'asked', reason, by }, atMs);
  }

  /** Records that the keeper got a signal, too. @param signal its name, with `SIG` @param atMs CLOCK_MONOTONIC */
  witnessed(signal: string, atMs: number): void {
    this.#life.cause.witnessed(signal, atMs);
  }

  /** Starts the stop ladder. @param signal goes to the job's process group first; null if the group has already got it */
  stop(reason: 'stopped' | 'scheduler', by: Requester, signal: number | null, graceMs: number): Promise<number> {
    return this.#life.stop(reason, by, signal, graceMs);
  }

  /** Moves the wall clock limit to the end of the scheduler's job. @param limitMs from the job's start; 0 means no limit */
  followScheduler(limitMs: number): void {
    const from = this.limits.get('timeout') ?? null;
    const to = timeoutStatus(limitMs, 'scheduler');
    this.clock.limit(limitMs);
    this.limits.set('timeout', to);
    this.#emitEvent({ event: 'limit_changed', limit: 'timeout', from, to, by: { via: 'box' } });
  }

  /** Records that a SIGTSTP has stopped every process. The next SIGCONT to the wrapper continues them. */
  paused(by: Requester): void {
    const { phase, suspended } = this.#life.state;
    if (phase !== 'running' || suspended !== null) return;
    void this.#life.apply({ type: 'paused' });
    this.clock.hold(true);
    this.#options.log.info(`${by.signal} has suspended the job; SIGCONT resumes it`);
    this.#emitEvent({ event: 'suspended', by: toBy(by) });
  }

  get isPaused(): boolean {
    return this.#life.state.suspended === 'signal';
  }

  /** Undoes `paused`. */
  async unpause(by: Requester): Promise<void> {
    await this.#life.apply({ type: 'resume' });
    this.clock.hold(false);
    this.#emitEvent({ event: 'resumed', by: toBy(by) });
  }

  /** Sends SIGKILL to every process of the box. */
  kill(by: Requester): Promise<number> {
    return this.#life.apply({ type: 'kill', reason: 'killed', by, signal: 9 });
  }

  /** Ends the supervision of an adopted process. The process continues within its limits. */
  async release(by: Requester): Promise<void> {
    if (this.#life.hasEnded()) return;
    await this.sample('signal');
    this.#stopTimers();
    this.#options.log.info('the supervision has ended; the process continues within its limits');
    this.#emitEvent({ event: 'released', by: toBy(by) });
    this.#over = true;
    void this.#life.apply({ type: 'ended' });
  }

  /** Handles a limit that no control group holds, after the watchdog has seen it exceeded. */
  exceeded(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    this.#reached.watched(name, used, limit, processes);
  }

  /** Takes a sample; never rejects. */
  sample(cause: SampleCause): Promise<unknown> {
    return this.#sampling.take(cause);
  }

  execute(command: Command, by: Requester): Promise<Answer> {
    return this.#commands.execute(command, by);
  }

  /** What the command `status` answers. */
  status(): BoxStatus {
    return this.#commands.status();
  }

  refused(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void {
    this.#commands.recordRefusal(answer, by, command, args);
  }

  #started(pid: number, atMs: number): void {
    const { spec, stdoutMode, onStarted } = this.#options;
    this.#pid = pid;
    this.#startedMs = atMs;
    void this.#life.apply({ type: 'started' });
    this.clock.start(atMs);
    this.#options.resources.start();
    this.#sampling.start(this.#options.createSampler(this, pid, atMs));
    this.#emitEvent({
      event: 'started',
      pid,
      adopted: this.#options.adopted,
      executable: redactUri(shown(spec.command[0] ?? '')),
      argument_count: spec.argumentCount,
      stdout_mode: stdoutMode,
      sample_interval_ms: spec.sampleIntervalMs,
      limits: Object.fromEntries(this.limits),
    });
    this.#reached.markStdout();
    if (spec.ignored !== undefined) this.#emitEvent({ event: 'options_ignored', why: spec.ignored });
    if (this.#options.observed) this.#sampling.every(spec.sampleIntervalMs);
    onStarted();
  }

  #mainEnded(main: MainExit, atMs: number, usage: KeeperUsage): void {
    const { spec } = this.#options;
    this.#main = { code: main.code, signal: main.signal, coreDumped: main.coreDumped };
    if (!spec.linger) this.clock.close(atMs);
    // With --linger, a limit or a command may still end the remaining processes.
    if (!spec.linger) this.#life.cause.mainEnded(atMs);
    this.#elapsedMs = atMs - this.#startedMs;
    this.#cpuUsec = usage.userUsec + usage.systemUsec;
    void this.#life.apply({ type: 'mainEnded' });
    // If no process is left, `empty` arrives in this turn of the event loop.
    this.#afterMain.start(0);
  }

  #othersLeft(): void {
    if (this.#life.hasEnded()) return;
    const { log, spec, time } = this.#options;
    const { endSignal: signal, linger } = spec;
    // The scheduler's signal has reached the other processes as well, and its SIGKILL follows.
    const spare = this.#life.state.ending?.reason === 'scheduler';
    const graceMs = spare ? this.#life.schedulersGrace(spec.graceMs) : spec.graceMs;
    log.debug(`the main process ended after ${Math.round(time.now() - this.#startedMs)} ms, but others still run`);
    void this.#life.apply({ type: 'leftovers', signal, graceMs, linger, spare });
  }

  #stopTimers(): void {
    this.#life.close();
    this.#sampling.ticker.stop();
    this.#options.resources.stop();
    this.clock.close(this.#options.time.now());
  }

  async #ended(usage: KeeperUsage | undefined): Promise<void> {
    if (this.#life.hasEnded()) return;
    const { log, adopted, time } = this.#options;
    if (usage === undefined && this.#main === null) {
      log.error(
        `the keeper has died; ${adopted ? 'the adopted process continues unsupervised' : 'the rest of the job was killed'}`,
      );
    }
    this.#stopTimers();
    await this.#sampling.first;
    await this.#commands.close();
    const figures = await this.#sampling.readFinal();
    if (this.#life.hasEnded()) return;
    this.#incidents.notice(this.#sampling.largest, figures);
    const end = endBox({
      ...this.#options,
      life: this.#life,
      limits: this.limits,
      clock: this.clock,
      incidents: this.#incidents,
      leftBehind: this.#leftBehind,
      main: this.#main,
      cpuUsec: this.#cpuUsec,
      // Before `used`, which it sets.
      memoryPassed: this.#reached.passedUnseen(usage),
      elapsedMs: this.#pid === 0 ? 0 : Math.round(this.#elapsedMs || time.now() - this.#startedMs),
      used: this.#reached.used,
      limitSetBy: this.#limitSetBy,
      suspendedBy: this.#suspendedBy,
      warned: this.#timeLimit.warned(),
      refusedCommands: this.#commands.refusedCount,
      sampler: this.#sampling.sampler,
      usage,
      emitEvent: this.#sendEvent,
    });
    this.#over = true;
    this.#options.onEnded(end);
  }

  #emitEvent(body: EventBody): void {
    const event = this.#sendEvent(body);
    if (event.event === 'command') this.#options.audit?.(event);
    if (event.event === 'limit_changed') this.#limitSetBy.set(event.limit, event.by);
    if (event.event === 'limit_changed' && event.limit === 'stdoutlimit') this.#reached.markStdout();
    if (event.event === 'suspended' && event.by.via !== 'box') this.#suspendedBy = event.by;
    this.#options.onChanged?.('soon');
  }
}
