import type { KeeperEvent, KeeperUsage, ProcessRow } from 'cgroup-utils-native';
import { shown } from '../bytes.js';
import { type By, createEventSource, type EventBody, type EventHead } from '../model/event.js';
import type { SampleCause } from '../model/sample.js';
import type { Answer, BoxState, Command, Controllable, Requester } from '../model/types.js';
import type { JobIdentity } from '../options/spec.js';
import type { WatchedName } from '../options/table/limits.js';
import { toBy } from '../stats/audit.js';
import { redactUri } from '../text.js';
import type { BoxOptions, Sampled } from './box-options.js';
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
import type { Time } from './time.js';
import { createTimeLimit, type TimeLimit } from './time-limit.js';
import type { WallClock } from './timer.js';
import { createLeftBehind, type LeftBehind } from './unkillable.js';

/** One job under control: wires the parts of a box to each other, takes what the keeper tells, and carries out commands. */
export class Box implements Controllable, Sampled {
  readonly identity: JobIdentity;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly near: Near;
  readonly #options: BoxOptions;
  readonly #emitEvent: <Body extends EventBody>(body: Body) => EventHead & Body;
  readonly #life: Life;
  readonly #timeLimit: TimeLimit;
  readonly #reached: Reached;
  readonly #sampling: Sampling;
  readonly #incidents: Incidents;
  readonly #commands: Commands;
  readonly #leftBehind: LeftBehind;
  /** Its last event is out; what comes now is for the audit log alone. */
  #over = false;
  #pid = 0;
  #startedMs = 0;
  #sequence = 0;
  #main: MainExit | null = null;
  #elapsedMs = 0;
  #cpuUsec = 0;
  readonly #limitSetBy = new Map<string, By>();
  #suspendedBy: By | null = null;
  /** Fires in the turn of the event loop after the end of the main process. */
  readonly #afterMain: ReturnType<Time['createTimer']>;

  constructor(options: BoxOptions) {
    const { spec, identity, time, log } = options;
    this.#options = options;
    this.identity = identity;
    this.limits = withSources([...initialLimits(spec, options.stdoutMode), ...options.resources.limits], spec);
    this.#leftBehind = createLeftBehind(log);
    this.#emitEvent = createEventSource({
      identity,
      state: () => this.state,
      sequence: () => this.nextSequence(),
      emit: (_event, outgoing) => {
        if (!this.#over) options.emit(outgoing);
      },
    });
    this.#life = new Life({ ...options, onWoken: () => this.clock.hold(false) });
    const parts = {
      ...options,
      life: this.#life,
      limits: this.limits,
      tell: (body: EventBody) => this.#tell(body),
      sample: (cause: SampleCause) => this.sample(cause),
    };
    this.near = createNear({ ...parts, thresholds: spec.near });
    this.#timeLimit = createTimeLimit({ ...parts, near: this.near, onExpired: () => void this.#reached.time() });
    this.clock = this.#timeLimit.clock;
    this.#reached = new Reached({
      ...parts,
      near: this.near,
      clock: this.clock,
      largest: () => this.#sampling.largest,
    });
    this.#sampling = new Sampling({ ...parts, onTaken: (...taken) => this.#incidents.notice(...taken) });
    this.#afterMain = time.createTimer(() => this.#othersLeft());
    this.#incidents = createIncidents({ ...parts, lastSample: () => this.#sampling.last?.sample });
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
        return this.#reached.stdout(event.bytes);
      case 'expired':
        return this.#reached.timeByKeeper(event.atMs);
      case 'continued':
        // Somebody else has let the main process go on: its time counts again.
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

  /** An end is being asked for; `stop` follows. @param atMs CLOCK_MONOTONIC, when the signal came */
  asked(reason: 'stopped' | 'scheduler', by: Requester, atMs: number): void {
    void this.#life.apply({ type: 'asked', reason, by }, atMs);
  }

  /** The keeper got a signal as well. @param signal its name, with `SIG` */
  witnessed(signal: string, atMs: number): void {
    this.#life.cause.witnessed(signal, atMs);
  }

  /** The stop ladder; `signal` is what the job's group gets first, null where it has it already. */
  stop(reason: 'stopped' | 'scheduler', by: Requester, signal: number | null, graceMs: number): Promise<number> {
    return this.#life.stop(reason, by, signal, graceMs);
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
    const { phase, suspended } = this.#life.state;
    if (phase !== 'running' || suspended !== null) return;
    void this.#life.apply({ type: 'paused' });
    this.clock.hold(true);
    this.#options.log.info(`${by.signal} has suspended the job; SIGCONT lets it go on`);
    this.#tell({ event: 'suspended', by: toBy(by) });
  }

  get isPaused(): boolean {
    return this.#life.state.suspended === 'signal';
  }

  /** Undoes `paused`. */
  async unpause(by: Requester): Promise<void> {
    await this.#life.apply({ type: 'resume' });
    this.clock.hold(false);
    this.#tell({ event: 'resumed', by: toBy(by) });
  }

  /** SIGKILL to everything. */
  kill(by: Requester): Promise<number> {
    return this.#life.apply({ type: 'kill', reason: 'killed', by, signal: 9 });
  }

  /** Ends the supervision of an adopted process, which goes on within its limits. */
  async release(by: Requester): Promise<void> {
    if (this.#life.hasEnded()) return;
    await this.sample('signal');
    this.#stopTimers();
    this.#options.log.info('the supervision has ended; the process goes on within its limits');
    this.#tell({ event: 'released', by: toBy(by) });
    this.#over = true;
    void this.#life.apply({ type: 'ended' });
  }

  /** The watchdog has seen that a limit which no control group holds was passed. */
  exceeded(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    this.#reached.watched(name, used, limit, processes);
  }

  /** One sample; never rejects. */
  sample(cause: SampleCause): Promise<unknown> {
    return this.#sampling.take(cause);
  }

  execute(command: Command, by: Requester): Promise<Answer> {
    return this.#commands.execute(command, by);
  }

  refused(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void {
    this.#commands.turnedDown(answer, by, command, args);
  }

  #started(pid: number, atMs: number): void {
    const { spec, stdoutMode, onStarted } = this.#options;
    this.#pid = pid;
    this.#startedMs = atMs;
    void this.#life.apply({ type: 'started' });
    this.clock.start(atMs);
    this.#options.resources.start();
    this.#sampling.start(this.#options.createSampler(this, pid, atMs));
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
    this.#reached.markStdout();
    if (spec.ignored !== undefined) this.#tell({ event: 'options_ignored', why: spec.ignored });
    if (this.#options.observed) this.#sampling.every(spec.sampleIntervalMs);
    onStarted();
  }

  #mainEnded(main: MainExit, atMs: number, usage: KeeperUsage): void {
    const { spec } = this.#options;
    this.#main = { code: main.code, signal: main.signal, coreDumped: main.coreDumped };
    if (!spec.linger) this.clock.close(atMs);
    // What is left of a box that lingers may still be ended by a limit or a command.
    if (!spec.linger) this.#life.cause.mainEnded(atMs);
    this.#elapsedMs = atMs - this.#startedMs;
    this.#cpuUsec = usage.userUsec + usage.systemUsec;
    void this.#life.apply({ type: 'mainEnded' });
    // Where nothing is left, `empty` comes together with this.
    this.#afterMain.start(0);
  }

  #othersLeft(): void {
    if (this.#life.hasEnded()) return;
    const { log, spec, time } = this.#options;
    const { endSignal: signal, linger } = spec;
    // Its signal has reached the rest as well, and its SIGKILL follows.
    const spare = this.#life.state.ending?.reason === 'scheduler';
    const graceMs = spare ? this.#life.schedulersGrace(spec.graceMs) : spec.graceMs;
    log.debug(`the main process has ended after ${Math.round(time.now() - this.#startedMs)} ms, others have not`);
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
        `the keeper has died; ${adopted ? 'what was adopted goes on alone' : 'the rest of the job was killed'}`,
      );
    }
    this.#stopTimers();
    await this.#sampling.first;
    await this.#commands.close();
    if (this.#life.hasEnded()) return;
    this.#incidents.notice(this.#sampling.largest);
    const end = endBox({
      ...this.#options,
      life: this.#life,
      limits: this.limits,
      clock: this.clock,
      incidents: this.#incidents,
      leftBehind: this.#leftBehind,
      main: this.#main,
      cpuUsec: this.#cpuUsec,
      elapsedMs: this.#pid === 0 ? 0 : Math.round(this.#elapsedMs || time.now() - this.#startedMs),
      used: this.#reached.used,
      limitSetBy: this.#limitSetBy,
      suspendedBy: this.#suspendedBy,
      warned: this.#timeLimit.warned(),
      refusedCommands: this.#commands.refusedCount,
      sampler: this.#sampling.sampler,
      usage,
      emitEvent: this.#emitEvent,
    });
    this.#over = true;
    this.#options.onEnded(end);
  }

  #tell(body: EventBody): void {
    const event = this.#emitEvent(body);
    if (event.event === 'command') this.#options.audit?.(event);
    if (event.event === 'limit_changed') this.#limitSetBy.set(event.limit, event.by);
    if (event.event === 'limit_changed' && event.limit === 'stdoutlimit') this.#reached.markStdout();
    if (event.event === 'suspended' && event.by.via !== 'box') this.#suspendedBy = event.by;
  }
}
