import { hostname, type Keeper, type KeeperEvent, type SignalDelivery } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import type { BoxEnd, Change } from '../box/box-options.js';
import { EXIT, type Outcome } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import type { SavedBox } from '../box/saved.js';
import type { Time } from '../box/time.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { describeError } from '../errors.js';
import { readFile } from '../kernel/files.js';
import { createLogger, type Logger } from '../log.js';
import type { Requester } from '../model/types.js';
import { signalName } from '../options/signals.js';
import type { BoxSpec, JobIdentity } from '../options/spec.js';
import { identifyJob } from '../scheduler/identity.js';
import { signalWaitMs } from '../scheduler/signalling.js';
import { type BoxProcess, ownProcess } from './box-process.js';
import { type Broker, type BrokerLoaders, createBroker } from './broker.js';
import { createBox } from './create-box.js';
import { createDeliveries, type Deliveries } from './deliveries.js';
import { holdEnd } from './hold-end.js';
import type * as LaunchFailure from './launch-failure.js';
import { endLines, startLine } from './lines.js';
import type * as ReportFile from './report-file.js';
import { createScheduled, type Scheduled } from './scheduled.js';
import { handleAdopted, handleSignals, senderOf } from './signals.js';
import type * as Slurm from './slurm.js';
import type { Subject } from './subject.js';

const SIGTERM = 15;
/** A shell's exit status if SIGTERM has ended its last command. */
const SHELL_TERM = 128 + SIGTERM;

export interface Run {
  onKeeper(event: KeeperEvent): void;
  /** Resolves when what the signal asks for has been done. */
  onSignal(delivery: SignalDelivery): Promise<void>;
}

export interface RunOptions extends BrokerLoaders {
  readonly keeper: Keeper;
  readonly hello: Pick<Extract<KeeperEvent, { type: 'hello' }>, 'stdoutMode' | 'terminal'>;
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
  readonly subject: Subject;
  readonly boxId: string;
  readonly cgroup: BoxCgroup;
  readonly resources: ResourceControl;
  /** Called as soon as the box is made. */
  readonly onBox: (box: Box) => void;
  readonly loadSlurm: () => typeof Slurm;
  /** Loads the messages for a job that could not be started. */
  readonly loadLaunchFailure: () => typeof LaunchFailure;
  /** Loads the writer of `--report-file`. */
  readonly loadReportFile: () => typeof ReportFile;
  /** Delivers the signals that have come so far at once. */
  readonly deliverSignals: () => void;
  /** What another process has saved of this box: goes on with it at once. @default the box begins */
  readonly saved?: SavedBox | undefined;
  /** When the keeper has acted on its deadline before that, CLOCK_MONOTONIC. @default it has not */
  readonly expiredMs?: number | null | undefined;
  /** Called when what the box's `save` returns has changed. @default not called */
  readonly onChanged?: (when: Change) => void;
  /** @default that of a process that the scheduler holds together with the box */
  readonly time?: Time;
  /** @default a process that hosts this box alone */
  readonly boxProcess?: BoxProcess;
  /** Publishing the event `unboxed`, which the end awaits; it resolves within seconds. */
  readonly beside?: Promise<void>;
}

/** Wires box, broker, signals and the end of the process around a job that the keeper is launching. */
export function run(options: RunOptions): Run {
  const running = new RunningBox(options);
  // If the job died of a signal of the scheduler, the wrapper's own signal may still be on its way.
  const settled = ({ code, signal }: { code: number | null; signal: number | null }) =>
    running.scheduled.settled(code === SHELL_TERM || signal === SIGTERM);
  return { onSignal: running.onSignal, onKeeper: holdEnd((event) => running.onKeeper(event), settled) };
}

class RunningBox {
  readonly scheduled: Scheduled;
  readonly onSignal: Run['onSignal'];
  readonly #options: RunOptions;
  readonly #log: Logger;
  readonly #identity: JobIdentity;
  readonly #boxProcess: BoxProcess;
  readonly #broker: Broker;
  readonly #box: Box;
  readonly #deliveries: Deliveries;
  #keeperGone = false;

  constructor(options: RunOptions) {
    const { keeper, spec, subject, cgroup, boxProcess = ownProcess() } = options;
    const log = createLogger(spec.debug ? 'debug' : spec.nowarn ? 'error' : 'info', { write: boxProcess.write });
    const said = identifyJob(subject.environment, {
      user: subject.user,
      host: hostname(),
      box: options.boxId,
    });
    const verified = subject.verified?.(said);
    const identity: JobIdentity = verified === undefined ? said : { ...said, verified };
    this.#options = options;
    this.#deliveries = createDeliveries(() => signalWaitMs(subject.environment, readFile));
    this.#log = log;
    this.#identity = identity;
    this.#boxProcess = boxProcess;
    this.#broker = createBroker(spec, log, options);
    const { scheduler } = identity;
    this.scheduled = createScheduled({
      spec,
      log,
      scheduler,
      subject,
      groups: cgroup.dirs,
      loadSlurm: options.loadSlurm,
    });
    this.#box = createBox({
      ...options,
      identity,
      stdoutMode: options.hello.stdoutMode,
      log,
      listener: this.#broker,
      schedulerGraceMs: this.scheduled.graceMs,
      onDeadline: boxProcess.bound,
      onStarted: () => this.#started(),
      onEnded: (end) => this.#ended(end),
    });
    options.onBox(this.#box);
    const { adopted } = subject;
    this.onSignal =
      adopted === null
        ? handleSignals(this.#box, keeper, spec, this.#deliveries)
        : handleAdopted(this.#box, adopted.detached ? null : (by) => this.#release(by));
    boxProcess.guard(log);
    if (options.saved !== undefined) this.#box.resume(options.saved, options.expiredMs ?? null);
  }

  onKeeper(event: KeeperEvent): void {
    const { keeper, hello, cgroup, deliverSignals } = this.#options;
    if (event.type === 'witnessed') return this.#witnessed(event);
    if (event.type === 'exited') deliverSignals();
    if (event.type === 'failed') return this.#failed(event);
    if (event.type === 'stopped' && hello.terminal) {
      this.#boxProcess
        .stopGroup(keeper, event.signal)
        .catch((error: Error) => this.#log.debug(`resume: ${error.message}`));
    }
    if (event.type === 'gone') {
      this.#keeperGone = true;
      // If the job ran, its last sample still needs the groups, so they are removed later.
      if (this.#box.pid === 0) this.#boxProcess.removeGroups(cgroup);
    }
    this.#box.onKeeper(event);
  }

  #started(): void {
    const { spec, warnings, resources, beside, saved, loadReportFile } = this.#options;
    this.#boxProcess.started(spec.flushMs);
    if (spec.reportFile !== undefined) loadEarly(loadReportFile);
    if (saved !== undefined) return this.#connected();
    for (const warning of [...warnings, ...resources.warnings]) this.#log.warn(warning);
    // A user who has been told that there is no box needs no line about its start.
    if (beside === undefined) this.#log.info(startLine(this.#box, spec));
    this.#connected();
  }

  #connected(): void {
    this.#broker.connect(this.#box);
    this.scheduled.started(this.#box);
  }

  #ended(end: BoxEnd): void {
    const { keeper, spec, subject, cgroup, beside } = this.#options;
    const boxProcess = this.#boxProcess;
    this.scheduled.close();
    boxProcess.write(endLines(end, spec));
    const reported = writeReport(end.report, this.#options, this.#log);
    const launched = subject.adopted === null;
    // Groups among those of the scheduler must be removed before the scheduler removes its own.
    if (!launched) boxProcess.finish(keeper);
    void Promise.all([this.#broker.close(spec.flushMs), beside, reported]).then(() => {
      if (launched) boxProcess.finish(keeper);
      if (this.#keeperGone) boxProcess.removeGroups(cgroup);
      const { outcome } = end;
      boxProcess.ended(outcome.exitStatus, launched ? signalToDieOf(outcome, spec, this.#identity.scheduler) : null);
    });
  }

  async #release(by: Requester): Promise<void> {
    const { spec } = this.#options;
    await this.#box.release(by);
    await this.#broker.close(spec.flushMs);
    this.#boxProcess.ended(0, null);
  }

  #witnessed(event: Extract<KeeperEvent, { type: 'witnessed' }>): void {
    // The job may die of this signal before the wrapper gets it.
    if (event.signal === SIGTERM && this.#identity.scheduler !== 'none')
      this.#box.asked('scheduler', { via: 'signal', signal: 'SIGTERM', ...senderOf(event) }, event.atMs);
    this.#box.witnessed(`SIG${signalName(event.signal)}`, event.atMs);
    this.#deliveries.witnessed(event);
  }

  #failed(event: Extract<KeeperEvent, { type: 'failed' }>): void {
    const { keeper, warnings } = this.#options;
    for (const warning of warnings) this.#log.warn(warning);
    const exitStatus = tellLaunchFailure(event, this.#options, this.#log);
    this.#boxProcess.finish(keeper);
    this.#boxProcess.ended(exitStatus, null);
  }
}

/** Loads a bundle that is needed later, because by then an upgrade may have replaced its file. */
function loadEarly(load: () => unknown): void {
  try {
    load();
  } catch {
    // Its user will say that it is missing.
  }
}

/** Writes `--report-file` if it was given. Never rejects. */
async function writeReport(
  report: BoxEnd['report'],
  { spec, subject, loadReportFile }: RunOptions,
  log: Logger,
): Promise<void> {
  if (spec.reportFile === undefined || report === null) return;
  try {
    await loadReportFile().writeReportFile({ report, path: spec.reportFile, subject, log });
  } catch (error) {
    // The bundle is missing.
    log.warn(`--report-file: ${(error as Error).message}`);
  }
}

/** @returns the exit status of proc_box */
function tellLaunchFailure(
  event: Extract<KeeperEvent, { type: 'failed' }>,
  { spec, loadLaunchFailure }: RunOptions,
  log: Logger,
): number {
  try {
    const { exitStatus, message } = loadLaunchFailure().launchFailure(event, spec);
    log.error(message);
    return exitStatus;
  } catch (error) {
    // The bundle is missing. There is no job, so the box ends all the same.
    log.error(`launch the job: ${event.step}: ${event.code} (${describeError(error, spec.debug)})`);
    return EXIT.failed;
  }
}

/**
 * With `--reraise` and under PBS the wrapper dies of the job's signal; PBS then gives the job the exit status 256+n.
 */
function signalToDieOf({ signal }: Outcome, spec: BoxSpec, scheduler: JobIdentity['scheduler']): number | null {
  return spec.reraise || scheduler === 'pbs' ? signal : null;
}
