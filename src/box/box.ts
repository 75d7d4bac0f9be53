import type { Keeper, KeeperEvent, KeeperUsage, ProcessRow } from 'cgroup-utils-native';
import type { CgroupUsage } from '../cgroup/usage.js';
import { isEnvironmentError, isSpecError } from '../errors.js';
import type { Logger } from '../log.js';
import type { ResourceName } from '../spec/resources.js';
import { signalName } from '../spec/signals.js';
import type { BoxSpec, JobIdentity } from '../spec/spec.js';
import { processInfo } from '../stats/assemble.js';
import { commandEvent, toBy } from '../stats/audit.js';
import { exitedEvent } from '../stats/end.js';
import { createEventSource, type EventBody, type EventHead, type Exited } from '../stats/event.js';
import type { LimitStatus, ProcessInfo, SampleCause } from '../stats/sample.js';
import type { Sampler } from '../stats/sampler.js';
import { BEGIN, boxState, type Effect, type Input, SIGKILL, step } from './lifecycle.js';
import { initialLimits, type Limits, parseLimitChange, rlimitStatus, stdoutStatus, timeoutStatus } from './limits.js';
import { decideOutcome, type MainExit, type Outcome } from './outcome.js';
import { isResourceName, type ResourceControl } from './resource-control.js';
import { createTicker, type Ticker } from './ticker.js';
import { createWallClock, type WallClock } from './timer.js';
import type { Answer, BoxState, Command, Controllable, Outgoing, RefusalCode, Requester } from './types.js';
import type { WatchedName } from './watchdog.js';

export interface BoxOptions {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  /** Limits of the box as a whole, in force already. */
  readonly resources: ResourceControl;
  readonly stdoutMode: Extract<KeeperEvent, { type: 'hello' }>['stdoutMode'];
  readonly log: Logger;
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  /** Made once the job runs. */
  readonly createSampler: (box: Box, pid: number, startedMs: number) => Sampler;
  /** Somebody gets the samples: without a broker and a report only the watchdog looks at the box. */
  readonly observed: boolean;
  /** Samples and events, in order; must not throw. */
  readonly emit: (message: Outgoing) => void;
  /** Messages given up so far. */
  readonly dropped: () => number;
  /** State of the link to the broker, for `status`. */
  readonly brokerState: () => unknown;
  readonly onStarted: () => void;
  /** @param report null where nobody gets it; see `observed` */
  readonly onEnded: (outcome: Outcome, elapsedMs: number, report: (EventHead & Exited) | null) => void;
}

/** Longest time that the end of a process which the kernel kills for memory may take: it gives its memory back first. */
const OOM_DEATH_MS = 30_000;

/** A box that could not do what a command asked; becomes an answer. */
class Refused extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }
}

/** One job under control: runs the effects of its life, carries out commands, tells what happens. */
export class Box implements Controllable {
  readonly identity: JobIdentity;
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly #options: BoxOptions;
  readonly #emitEvent: <Body extends EventBody>(body: Body) => EventHead & Body;
  readonly #ticker: Ticker;
  #life = BEGIN;
  #pid = 0;
  #startedMs = 0;
  #sequence = 0;
  #sampler: Sampler | undefined;
  #firstSample: Promise<unknown> = Promise.resolve();
  #main: MainExit | null = null;
  #elapsedMs = 0;
  #cpuUsec = 0;
  #oomAtMs = Number.NEGATIVE_INFINITY;
  #refusedCommands = 0;
  readonly #refusalsLogged = new Set<RefusalCode>();
  #grace: NodeJS.Timeout | undefined;

  constructor(options: BoxOptions) {
    const { spec, identity, now } = options;
    this.#options = options;
    this.identity = identity;
    this.limits = new Map([...initialLimits(spec, options.stdoutMode), ...options.resources.limits]);
    this.clock = createWallClock({
      limitMs: spec.timeoutMs,
      now,
      onExpired: () => this.#timeout(),
      onGap: (ms) => this.#wasSuspended(ms),
    });
    this.#ticker = createTicker(now, () => {
      this.#sampleQuietly('interval');
    });
    this.#emitEvent = createEventSource({
      identity,
      state: () => this.state,
      sequence: () => this.nextSequence(),
      emit: (_event, outgoing) => options.emit(outgoing),
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

  /** The stop ladder; `signal` is what the job's group gets first. */
  stop(
    reason: 'stopped' | 'scheduler' | 'timeout' | 'stdoutlimit',
    by: Requester,
    signal: number,
    graceMs: number,
  ): Promise<number> {
    return this.#apply({ type: 'stop', reason, by, signal, graceMs });
  }

  /** SIGKILL to everything. */
  kill(by: Requester): Promise<number> {
    return this.#apply({ type: 'kill', reason: 'killed', by, signal: 9 });
  }

  /** The watchdog's word: a limit that no control group holds was passed. */
  exceeded(name: WatchedName, used: number, limit: number, processes: readonly ProcessRow[]): void {
    const { spec, log } = this.#options;
    const status = this.limits.get(name);
    log.warn(
      `${name} is over its limit: ${Math.round(used)} of ${limit}; ${name === 'cpu-time' ? 'stopping' : 'killing'} the job`,
    );
    if (status !== undefined) {
      const largest = processes.length > 0 ? processes.map(processInfo) : this.#largest();
      this.#tell({ event: 'limit_exceeded', limit: name, status, used: Math.round(used), processes: largest });
    }
    const by = { via: 'limit' } as const;
    if (name === 'cpu-time')
      void this.#apply({ type: 'stop', reason: 'cpu', by, signal: spec.stopSignal, graceMs: spec.graceMs });
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
        this.#noticeIncidents((now[0]?.rss ?? 0) < (before[0]?.rss ?? 0) ? before : now, taken.cgroup);
        for (const line of this.#options.resources.lost()) this.#options.log.warn(line);
      }
      return taken?.sample;
    } catch (error) {
      this.#options.log.warn(`no sample: ${(error as Error).message}`);
      return undefined;
    }
  }

  async execute(command: Command, by: Requester): Promise<Answer> {
    let answer: Answer;
    try {
      if (this.#life.phase === 'ended') throw new Refused('ended', 'the job has ended');
      answer = { ok: true, result: await this.#carryOut(command, by) };
    } catch (error) {
      const code = error instanceof Refused ? error.code : isSpecError(error) ? 'bad_arguments' : 'failed';
      answer = { ok: false, error: { code, message: (error as Error).message } };
      if (code !== 'failed') this.#refusedCommands++;
      this.#logFailure(code, `${command.name}: ${(error as Error).message}`);
    }
    this.#options.log.debug(
      `command ${command.name} from ${by.user ?? by.via}: ${answer.ok ? 'done' : answer.error.message}`,
    );
    this.#tell(commandEvent(command, by, answer));
    return answer;
  }

  /** Counted and audited; who turned it down has logged it. */
  refused(answer: Answer, by: Requester, command: string): void {
    this.#refusedCommands++;
    this.#tell(commandEvent(command, by, answer));
  }

  /** Refusals of one kind are logged once: a sender may repeat them as often as it likes. */
  #logFailure(code: RefusalCode, message: string): void {
    const { log } = this.#options;
    if (code === 'failed') log.warn(`command ${message}`);
    else if (this.#refusalsLogged.has(code)) log.debug(`refused ${message}`);
    else log.warn(`refused ${message} (further ones with code ${code} are only counted)`);
    this.#refusalsLogged.add(code);
  }

  async #carryOut(command: Command, by: Requester): Promise<unknown> {
    const { spec } = this.#options;
    switch (command.name) {
      case 'stop': {
        await this.sample('stop');
        const graceMs = command.graceMs ?? spec.graceMs;
        await this.stop('stopped', by, spec.stopSignal, graceMs);
        return { signal: signalName(spec.stopSignal), grace_ms: graceMs };
      }
      case 'kill': {
        const { signal } = command;
        const processes = await this.#apply({ type: 'kill', reason: 'killed', by, signal });
        return { signal: signalName(signal), processes };
      }
      case 'suspend':
        return { processes: await this.#suspend(by) };
      case 'resume':
        return { processes: await this.#resume(by) };
      case 'sample': {
        await this.sample('request');
        const taken = this.#sampler?.last;
        if (taken === undefined) throw new Refused('not_possible', 'the job has not started yet');
        return { message_id: taken.outgoing.messageId, sample: taken.sample };
      }
      case 'change_sample_rate':
        this.#ticker.every(command.intervalMs);
        return { interval_ms: command.intervalMs };
      case 'timer_reset':
        this.clock.reset();
        return this.clock.status();
      case 'timer_start':
        this.clock.start(this.#options.now());
        return this.clock.status();
      case 'timer_stop':
        this.clock.stop();
        return this.clock.status();
      case 'timer_resume':
        this.clock.resume();
        return this.clock.status();
      case 'set_limit':
        return await this.#setLimit(command.limit, command.value, by);
      case 'status':
        return this.#status();
      case 'ping':
        return { identity: this.identity, state: this.state };
    }
  }

  #status(): unknown {
    const { spec, stdoutMode, dropped, brokerState } = this.#options;
    return {
      identity: this.identity,
      state: this.state,
      pid: this.#pid,
      executable: spec.command[0],
      elapsed_ms: Math.round(this.#options.now() - this.#startedMs),
      suspended_ms: Math.round(this.clock.suspendedMs),
      timer: this.clock.status(),
      sample_interval_ms: this.#ticker.intervalMs,
      limits: Object.fromEntries(this.limits),
      stdout_mode: stdoutMode,
      broker: brokerState(),
      dropped: dropped(),
      refused_commands: this.#refusedCommands,
      sample: this.#sampler?.last?.sample ?? null,
    };
  }

  async #suspend(by: Requester): Promise<number> {
    if (this.#life.phase === 'stopping') throw new Refused('not_possible', 'the box is being stopped');
    const already = this.#life.suspended;
    const processes = await this.#apply({ type: 'suspend' });
    this.clock.hold(true);
    if (!already) this.#tell({ event: 'suspended', by: toBy(by) });
    return processes;
  }

  async #resume(by: Requester): Promise<number> {
    const was = this.#life.suspended;
    const processes = await this.#apply({ type: 'resume' });
    this.clock.hold(false);
    if (was) this.#tell({ event: 'resumed', by: toBy(by) });
    return processes;
  }

  async #setLimit(name: string, value: string, by: Requester): Promise<unknown> {
    const { keeper, stdoutMode } = this.#options;
    if (isResourceName(name)) return this.#setResource(name, value, by);
    const change = parseLimitChange(name, value);
    const before = this.limits.get(name) ?? null;
    let to = before;
    let detail = {};
    if (change.kind === 'timeout') {
      this.clock.limit(change.limitMs);
      to = timeoutStatus(change.limitMs, 'command');
    } else if (change.kind === 'stdoutlimit') {
      await keeper.stdoutLimit(change.maxBytes);
      to = stdoutStatus(change.maxBytes, stdoutMode, 'command');
    } else {
      const { changed, failed, code, limit } = await keeper.rlimit(change.name, change.limit);
      if (changed === 0 && failed > 0) {
        throw new Refused(
          'not_possible',
          `prlimit ${name}=${value}: ${code} for all ${failed} processes; a hard limit can be raised by root only`,
        );
      }
      if (changed === 0) throw new Refused('ended', 'no process is left to limit');
      to = rlimitStatus(change.name, limit, 'command');
      detail = { processes: changed, ...(failed > 0 && { failed, error: code }) };
    }
    if (to !== null) this.limits.set(name, to);
    this.#tell({ event: 'limit_changed', limit: name, from: before, to, by: toBy(by) });
    return { limit: name, ...to, ...detail };
  }

  #setResource(name: ResourceName, value: string, by: Requester): unknown {
    const from = this.limits.get(name) ?? null;
    let to: LimitStatus;
    try {
      to = this.#options.resources.change(name, value);
    } catch (error) {
      if (isEnvironmentError(error)) throw new Refused('not_possible', error.message);
      throw error;
    }
    this.limits.set(name, to);
    this.#tell({ event: 'limit_changed', limit: name, from, to, by: toBy(by) });
    return { limit: name, ...to };
  }

  /** The largest processes as last walked. */
  #largest(): readonly ProcessInfo[] {
    return this.#sampler?.last?.sample.Processes ?? [];
  }

  /**
   * Looks at what the kernel has done about the limits; the OOM killer may have taken a child while the job goes on.
   * @param processes the largest
   * @param usage as a sample has just read it; undefined reads it now
   */
  #noticeIncidents(processes: readonly ProcessInfo[], usage?: CgroupUsage | null): void {
    const { resources, log } = this.#options;
    const { oomKills, forksRefused, memoryPeakBytes } = resources.incidents(usage);
    const pids = this.limits.get('pids');
    if (forksRefused > 0 && pids !== undefined) {
      this.#tell({ event: 'limit_exceeded', limit: 'pids', status: pids, used: null, processes });
    }
    if (oomKills === 0) return;
    this.#oomAtMs = this.#options.now();
    log.warn(`out of memory: the kernel has killed ${oomKills} processes of the box`);
    const peak = this.#sampler?.last?.sample.MemoryPeak;
    const memory = this.limits.get('memory');
    this.#tell({
      event: 'oom',
      kills: oomKills,
      // What the watchdog holds is no limit of the kernel's.
      limit: memory?.enforcement === 'cgroup2' || memory?.enforcement === 'cgroup1' ? memory : null,
      memory_peak_bytes: memoryPeakBytes ?? peak?.cgroup ?? peak?.rss ?? 0,
      processes,
    });
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
      executable: spec.command[0] ?? '',
      argument_count: spec.command.length - 1,
      stdout_mode: stdoutMode,
      sample_interval_ms: spec.sampleIntervalMs,
      limits: Object.fromEntries(this.limits),
    });
    if (this.#options.observed) this.#firstSample = this.sample('start');
    if (this.#options.observed) this.#ticker.every(spec.sampleIntervalMs);
    onStarted();
  }

  #mainEnded(main: MainExit, atMs: number, usage: KeeperUsage): void {
    const { spec, now } = this.#options;
    this.#main = { code: main.code, signal: main.signal, coreDumped: main.coreDumped };
    if (!spec.linger) this.clock.close(atMs);
    this.#elapsedMs = atMs - this.#startedMs;
    this.#cpuUsec = usage.userUsec + usage.systemUsec;
    void this.#apply({ type: 'mainEnded' });
    // `empty` comes in the same breath where nothing is left.
    setImmediate(() => {
      if (this.#life.phase === 'ended') return;
      const { stopSignal: signal, graceMs, linger } = spec;
      this.#options.log.debug(
        `the main process has ended after ${Math.round(now() - this.#startedMs)} ms, others have not`,
      );
      void this.#apply({ type: 'leftovers', signal, graceMs, linger });
    });
  }

  #timeout(): void {
    const { spec, log } = this.#options;
    const status = this.limits.get('timeout');
    log.warn(`the wall clock limit of ${this.clock.limitMs / 1000} s is over: stopping the job`);
    if (status !== undefined) {
      this.#tell({
        event: 'limit_exceeded',
        limit: 'timeout',
        status,
        used: this.clock.status().elapsed_ms,
        processes: [],
      });
    }
    void this.#sampleThenStop('timeout', { via: 'limit' }, spec.stopSignal);
  }

  /** Reported once at the limit; again only where the job went on writing to its file: then it has no more grace. */
  #stdoutLimit(bytes: number): void {
    const { spec, log } = this.#options;
    if (this.#life.ending?.reason === 'stdoutlimit') {
      void this.#apply({ type: 'graceOver' });
      return;
    }
    const status = this.limits.get('stdoutlimit');
    log.warn(`stdout has reached its limit of ${status?.value} bytes: stopping the job`);
    void this.stop('stdoutlimit', { via: 'limit' }, spec.stopSignal, spec.graceMs);
    if (status !== undefined)
      this.#tell({ event: 'limit_exceeded', limit: 'stdoutlimit', status, used: bytes, processes: [] });
    this.#sampleQuietly('limit');
  }

  async #sampleThenStop(reason: 'timeout', by: Requester, signal: number): Promise<void> {
    await this.sample('limit');
    await this.stop(reason, by, signal, this.#options.spec.graceMs);
  }

  /** The scheduler had stopped or frozen the wrapper, and the job with it. */
  #wasSuspended(ms: number): void {
    this.#options.log.info(
      `the wrapper was suspended for ${(ms / 1000).toFixed(1)} s; the wall clock limit does not count it`,
    );
    const by = { via: 'box' } as const;
    this.#tell({ event: 'suspended', by });
    this.#tell({ event: 'resumed', by });
  }

  #sampleQuietly(cause: SampleCause): void {
    void this.sample(cause);
  }

  async #ended(usage: KeeperUsage | undefined): Promise<void> {
    if (this.#life.phase === 'ended') return;
    const { spec, log } = this.#options;
    if (usage === undefined && this.#main === null) log.error('the keeper has died; the rest of the job was killed');
    clearTimeout(this.#grace);
    this.#ticker.stop();
    this.#options.resources.stop();
    this.clock.close(this.#options.now());
    await this.#firstSample;
    if ((this.#life.phase as string) === 'ended') return;
    this.#noticeIncidents(this.#largest());
    // A sample may have seen the kill before the process had ended.
    const oomKilled = this.#options.now() - this.#oomAtMs < OOM_DEATH_MS;
    const decided = decideOutcome(this.#life, this.#main, { rlimits: spec.rlimits, cpuUsec: this.#cpuUsec, oomKilled });
    const { exitStatus, reason, by, ...main } = decided;
    void this.#apply({ type: 'ended' });
    const outcome: Outcome = { exitStatus, reason, by, ...main };
    const elapsedMs = Math.round(this.#elapsedMs || this.#options.now() - this.#startedMs);
    if (!this.#options.observed) {
      this.#options.onEnded(outcome, elapsedMs, null);
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
        signal: main.signal === null ? null : `SIG${signalName(main.signal)}`,
        elapsedMs,
        suspendedMs: this.clock.suspendedMs,
        refusedCommands: this.#refusedCommands,
      }),
    );
    this.#options.onEnded(outcome, elapsedMs, report);
  }

  #tell(body: EventBody): void {
    this.#emitEvent(body);
  }

  /** Takes one step of the life; resolves to the number of processes that were signalled. */
  #apply(input: Input): Promise<number> {
    const wasSuspended = this.#life.suspended;
    const [life, effects] = step(this.#life, input);
    this.#life = life;
    if (wasSuspended && !life.suspended && input.type !== 'resume') this.clock.hold(false);
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

  #run(effect: Effect): Promise<number> | undefined {
    const { keeper } = this.#options;
    switch (effect.do) {
      case 'signal':
        return keeper.signal(effect.scope, effect.signal);
      case 'kill':
        // Where nobody asked for the end, what the job has written waits for its reader.
        return keeper.kill(this.#life.ending !== null);
      case 'suspend':
        return keeper.suspend();
      case 'resume':
        return keeper.resume();
      case 'grace':
        clearTimeout(this.#grace);
        this.#grace = setTimeout(() => void this.#apply({ type: 'graceOver' }), Math.min(effect.ms, 2 ** 31 - 1));
        return undefined;
    }
  }
}
