import type { Keeper, RlimitName } from 'cgroup-utils-native';
import { shown } from '../bytes.js';
import { isEnvironmentError, isSpecError } from '../errors.js';
import type { Logger } from '../log.js';
import type { EventBody } from '../model/event.js';
import type { LimitStatus, SampleCause } from '../model/sample.js';
import type { Answer, BoxState, Command, RefusalCode, Requester } from '../model/types.js';
import { isRlimitName, parseRlimitValue } from '../options/rlimits.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { changeOf } from '../options/table/limit.js';
import type { ResourceName } from '../options/table/limits.js';
import { commandEvent, refusalEvent, toBy } from '../stats/audit.js';
import type { TakenSample } from '../stats/sampler.js';
import type { Input, Lifecycle } from './lifecycle.js';
import { type Limits, rlimitStatus, rowOf, stdoutStatus, timeoutStatus } from './limits.js';
import { changedValue, isRelative } from './relative.js';
import type { ResourceControl } from './resource-control.js';
import type { SavedBox } from './saved.js';
import type { BoxStatus } from './status.js';
import type { Ticker } from './ticker.js';
import type { WallClock } from './timer.js';

/** The part of a box that commands need. */
export interface CommandedBox {
  readonly spec: BoxSpec;
  readonly identity: JobIdentity;
  readonly keeper: Keeper;
  readonly resources: ResourceControl;
  readonly stdoutMode: Parameters<typeof stdoutStatus>[1];
  readonly limits: Limits;
  readonly clock: WallClock;
  readonly ticker: Ticker;
  readonly log: Logger;
  /** CLOCK_MONOTONIC, ms. */
  readonly now: () => number;
  readonly life: () => Lifecycle;
  readonly state: () => BoxState;
  /** The job's main process; both are 0 before it has started. */
  readonly main: () => { readonly pid: number; readonly startedMs: number };
  readonly sample: (cause: SampleCause) => Promise<unknown>;
  readonly lastSample: () => TakenSample | undefined;
  /** Takes one step of the life cycle; resolves to the number of processes that were signalled. */
  readonly apply: (input: Input) => Promise<number>;
  readonly emitEvent: (body: EventBody) => void;
  readonly dropped: () => number;
  readonly brokerState: () => unknown;
  readonly saved?: SavedBox | undefined;
}

/** The box cannot do what a command asks. The error becomes the answer. */
class Refused extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }
}

/** Carries out the commands of one box, answers them, and emits an event for each. */
export class Commands {
  readonly #box: CommandedBox;
  readonly #logged = new Set<RefusalCode>();
  readonly #underWay = new Set<Promise<Answer>>();
  #closed = false;
  #refused = 0;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(box: CommandedBox) {
    this.#box = box;
    this.#refused = box.saved?.refused ?? 0;
  }

  /** Number of commands refused so far. */
  get refusedCount(): number {
    return this.#refused;
  }

  execute(command: Command, by: Requester): Promise<Answer> {
    const answer = this.#answer(command, by);
    this.#underWay.add(answer);
    return answer.finally(() => this.#underWay.delete(answer));
  }

  /** Refuses further commands, and waits until the others have answer and event: a kill ends the job before it has either. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
  }

  async #answer(command: Command, by: Requester): Promise<Answer> {
    let answer: Answer;
    try {
      if (this.#closed || this.#box.life().phase === 'ended') throw new Refused('ended', 'the job has ended');
      answer = { ok: true, result: await this.#carryOut(command, by) };
    } catch (error) {
      const code = error instanceof Refused ? error.code : isSpecError(error) ? 'bad_arguments' : 'failed';
      answer = { ok: false, error: { code, message: (error as Error).message } };
      if (code !== 'failed') this.#refused++;
      this.#logFailure(code, `${command.name}: ${(error as Error).message}`);
    }
    this.#box.log.debug(
      `command ${command.name} from ${by.user ?? by.via}: ${answer.ok ? 'done' : answer.error.message}`,
    );
    this.#box.emitEvent(commandEvent(command, by, answer));
    return answer;
  }

  /** Counts and audits a command that was refused before it came here; the caller has logged it. */
  recordRefusal(answer: Answer, by: Requester, command: string, args: readonly string[] | null): void {
    this.#refused++;
    this.#box.emitEvent(refusalEvent(command, args, by, answer));
  }

  /** Logs refusals of one kind once, because a sender may repeat them as often as it likes. */
  #logFailure(code: RefusalCode, message: string): void {
    const { log } = this.#box;
    if (code === 'failed') log.warn(`command ${message}`);
    else if (this.#logged.has(code)) log.debug(`refused ${message}`);
    else log.warn(`refused ${message} (further refusals with code ${code} are only counted)`);
    this.#logged.add(code);
  }

  async #carryOut(command: Command, by: Requester): Promise<unknown> {
    const { spec, clock, ticker } = this.#box;
    switch (command.name) {
      case 'stop': {
        await this.#box.sample('stop');
        const graceMs = command.graceMs ?? spec.graceMs;
        await this.#box.apply({ type: 'stop', reason: 'stopped', by, signal: spec.stopSignal, graceMs });
        return { signal: signalName(spec.stopSignal), grace_ms: graceMs };
      }
      case 'kill': {
        const { signal } = command;
        const processes = await this.#box.apply({ type: 'kill', reason: 'killed', by, signal });
        return { signal: signalName(signal), processes };
      }
      case 'suspend':
        return { processes: await this.#suspend(by) };
      case 'resume':
        return { processes: await this.#resume(by) };
      case 'sample': {
        await this.#box.sample('request');
        const taken = this.#box.lastSample();
        if (taken === undefined) throw new Refused('not_possible', 'the job has not started yet');
        return { message_id: taken.outgoing.messageId, sample: taken.sample };
      }
      case 'change_sample_rate':
        ticker.every(command.intervalMs);
        return { interval_ms: command.intervalMs };
      case 'timer_reset':
        clock.reset();
        return clock.status();
      case 'timer_start':
        clock.start(this.#box.now());
        return clock.status();
      case 'timer_stop':
        clock.stop();
        return clock.status();
      case 'timer_resume':
        clock.resume();
        return clock.status();
      case 'set_limit':
        return await this.#setLimit(command.limit, command.value, by);
      case 'status':
        return this.status();
      case 'ping':
        return {
          identity: this.#box.identity,
          state: this.#box.state(),
          memory_bytes: this.#box.lastSample()?.sample.Memory.rss ?? null,
        };
    }
  }

  /** What the command `status` answers. */
  status(): BoxStatus {
    const { spec, identity, clock, ticker, limits, now } = this.#box;
    const { pid, startedMs } = this.#box.main();
    return {
      identity,
      state: this.#box.state(),
      pid,
      executable: shown(spec.command[0] ?? ''),
      elapsed_ms: Math.round(now() - startedMs),
      suspended_ms: Math.round(clock.suspendedMs),
      timer: clock.status(),
      sample_interval_ms: ticker.intervalMs,
      limits: Object.fromEntries(limits),
      stdout_mode: this.#box.stdoutMode,
      broker: this.#box.brokerState(),
      dropped: this.#box.dropped(),
      refused_commands: this.#refused,
      sample: this.#box.lastSample()?.sample ?? null,
    };
  }

  async #suspend(by: Requester): Promise<number> {
    if (this.#box.life().phase === 'stopping') throw new Refused('not_possible', 'the box is being stopped');
    const already = this.#box.life().suspended !== null;
    const processes = await this.#box.apply({ type: 'suspend' });
    this.#box.clock.hold(true);
    if (!already) this.#box.emitEvent({ event: 'suspended', by: toBy(by) });
    return processes;
  }

  async #resume(by: Requester): Promise<number> {
    const was = this.#box.life().suspended !== null;
    const processes = await this.#box.apply({ type: 'resume' });
    this.#box.clock.hold(false);
    if (was) this.#box.emitEvent({ event: 'resumed', by: toBy(by) });
    return processes;
  }

  async #setLimit(name: string, value: string, by: Requester): Promise<unknown> {
    return this.#turn(() => this.#setLimitNow(name, value, by));
  }

  async #setLimitNow(name: string, value: string, by: Requester): Promise<unknown> {
    if (isRlimitName(name)) return this.#setRlimit(name, value, by);
    const row = rowOf(this.#box.resources.rows, name);
    const before = this.#box.limits.get(name);
    // A relative change becomes an absolute value here.
    const text = isRelative(value) ? changedValue(name, value, before, row) : value;
    if (row.otherwise !== 'timer' && row.otherwise !== 'stdout')
      return this.#setResource(name as ResourceName, text, by);
    const asked = changeOf(row, text) as number | 'unlimited';
    const amount = asked === 'unlimited' ? 0 : asked;
    const to = row.otherwise === 'timer' ? this.#setTimeout(amount) : await this.#setStdoutLimit(amount);
    this.#changed([[name, to]], by);
    return { limit: name, ...to };
  }

  #setTimeout(limitMs: number): LimitStatus {
    this.#box.clock.limit(limitMs);
    return timeoutStatus(limitMs, 'command');
  }

  async #setStdoutLimit(maxBytes: number): Promise<LimitStatus> {
    const { keeper, stdoutMode } = this.#box;
    if (maxBytes > 0 && (stdoutMode === 'terminal' || stdoutMode === 'other'))
      throw new Refused('not_possible', `stdoutlimit: stdout is neither a file nor a pipe, so it is not counted`);
    await keeper.stdoutLimit(maxBytes);
    return stdoutStatus(maxBytes, stdoutMode, 'command');
  }

  /** Makes changes one after the other, because a relative change starts from the result of the previous one. */
  #turn<Result>(change: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastChange.then(change);
    // The caller handles the error; the next change only waits until this one has ended.
    this.#lastChange = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  async #setRlimit(name: RlimitName, value: string, by: Requester): Promise<unknown> {
    const { keeper } = this.#box;
    const text = isRelative(value) ? changedValue(name, value, await this.#rlimitInForce(name)) : value;
    const { changed, failed, code, limit } = await keeper.rlimit(name, parseRlimitValue(name, text));
    if (changed === 0 && failed > 0) {
      throw new Refused(
        'not_possible',
        `prlimit ${name}=${value}: ${code} for all ${failed} processes; only root can raise a hard limit`,
      );
    }
    if (changed === 0) throw new Refused('ended', 'no process is left to limit');
    const to = rlimitStatus(name, limit, 'command');
    this.#changed([[name, to]], by);
    return { limit: name, ...to, processes: changed, ...(failed > 0 && { failed, error: code }) };
  }

  /** Asks for the limit of the main process, or of a remaining one, because the job may have changed it itself. */
  async #rlimitInForce(name: RlimitName): Promise<LimitStatus> {
    return rlimitStatus(name, (await this.#box.keeper.rlimit(name, {})).limit);
  }

  async #setResource(name: ResourceName, value: string, by: Requester): Promise<unknown> {
    const { resources } = this.#box;
    let to: LimitStatus;
    try {
      to = { ...(await resources.change(name, value)), source: 'command' };
    } catch (error) {
      this.#changed(await resources.reread(), by);
      if (isEnvironmentError(error)) throw new Refused('not_possible', error.message);
      throw error;
    }
    this.#changed([[name, to]], by);
    const others = await resources.reread();
    this.#changed(others, by);
    return { limit: name, ...to, ...(others.size > 0 && { also: Object.fromEntries(others) }) };
  }

  #changed(limits: Iterable<readonly [string, LimitStatus]>, by: Requester): void {
    for (const [name, to] of limits) {
      const from = this.#box.limits.get(name) ?? null;
      this.#box.limits.set(name, to);
      this.#box.emitEvent({ event: 'limit_changed', limit: name, from, to, by: toBy(by) });
    }
  }
}
