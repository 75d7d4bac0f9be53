import { hostname, type Keeper, type KeeperEvent, type SignalDelivery, stopOwnGroup } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import type { BoxEnd } from '../box/box-options.js';
import { EXIT, type Outcome } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import { removeCgroup } from '../cgroup/remove.js';
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
import { type BrokerLoaders, createBroker } from './broker.js';
import { createBox } from './create-box.js';
import { createDeliveries } from './deliveries.js';
import { holdEnd } from './hold-end.js';
import type * as LaunchFailure from './launch-failure.js';
import { endLines, startLine } from './lines.js';
import type * as ReportFile from './report-file.js';
import { createScheduled } from './scheduled.js';
import { handleAdopted, handleSignals, senderOf } from './signals.js';
import type * as Slurm from './slurm.js';
import type { Subject } from './subject.js';

const SIGTERM = 15;
const SIGTSTP = 20;
/** A shell's exit status if SIGTERM has ended its last command. */
const SHELL_TERM = 128 + SIGTERM;

export interface Run {
  onKeeper(event: KeeperEvent): void;
  onSignal(delivery: SignalDelivery): void;
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
  /** @default a process that hosts this box alone */
  readonly boxProcess?: BoxProcess;
  /** Publishing the event `unboxed`, which the end awaits; it resolves within seconds. */
  readonly beside?: Promise<void>;
}

/** Wires box, broker, signals and the end of the process around a job that the keeper is launching. */
export function run(options: RunOptions): Run {
  const { keeper, hello, spec, warnings, subject, boxId, cgroup, resources, onBox } = options;
  const { deliverSignals, boxProcess = ownProcess() } = options;
  const { adopted } = subject;
  const log = createLogger(spec.debug ? 'debug' : spec.nowarn ? 'error' : 'info', { write: boxProcess.write });
  const identity = identifyJob(subject.environment, { user: subject.user, host: hostname(), box: boxId });
  let keeperGone = false;
  const broker = createBroker(spec, log, options);
  const scheduled = createScheduled({
    spec,
    log,
    scheduler: identity.scheduler,
    subject,
    groups: cgroup.dirs,
    loadSlurm: options.loadSlurm,
  });
  const box = createBox({
    spec,
    identity,
    keeper,
    stdoutMode: hello.stdoutMode,
    subject,
    cgroup,
    resources,
    log,
    listener: broker,
    schedulerGraceMs: scheduled.graceMs,
    onDeadline: boxProcess.bound,
    onStarted: () => {
      boxProcess.started(spec.flushMs);
      for (const warning of [...warnings, ...resources.warnings]) log.warn(warning);
      // A user who has been told that there is no box needs no line about its start.
      if (options.beside === undefined) log.info(startLine(box, spec));
      broker.connect(box);
      scheduled.started(box);
    },
    onEnded: (end) => {
      scheduled.close();
      boxProcess.write(endLines(end, spec));
      const { outcome, report } = end;
      const reported = writeReport(report, options, log);
      // Groups among those of the scheduler must be removed before the scheduler removes its own.
      if (adopted !== null) boxProcess.finish(keeper);
      void Promise.all([broker.close(spec.flushMs), options.beside, reported]).then(() => {
        if (adopted === null) boxProcess.finish(keeper);
        if (keeperGone) removeCgroup(cgroup);
        cgroup.close();
        boxProcess.ended(
          outcome.exitStatus,
          adopted === null ? signalToDieOf(outcome, spec, identity.scheduler) : null,
        );
      });
    },
  });
  onBox(box);
  const release = async (by: Requester) => {
    await box.release(by);
    await broker.close(spec.flushMs);
    keeper.close();
    boxProcess.ended(0, null);
  };
  const deliveries = createDeliveries(() => signalWaitMs(process.env, readFile));
  const onSignal =
    adopted === null
      ? handleSignals(box, keeper, spec, deliveries)
      : handleAdopted(box, adopted.detached ? null : release);
  boxProcess.guard(log);

  const onKeeper = (event: KeeperEvent) => {
    if (event.type === 'witnessed') {
      // The job may die of this signal before the wrapper gets it.
      if (event.signal === SIGTERM && identity.scheduler !== 'none')
        box.asked('scheduler', { via: 'signal', signal: 'SIGTERM', ...senderOf(event) }, event.atMs);
      box.witnessed(`SIG${signalName(event.signal)}`, event.atMs);
      return deliveries.witnessed(event);
    }
    if (event.type === 'exited') deliverSignals();
    if (event.type === 'failed') {
      for (const warning of warnings) log.warn(warning);
      const exitStatus = tellLaunchFailure(event, options, log);
      boxProcess.finish(keeper);
      return boxProcess.ended(exitStatus, null);
    }
    // On ^Z the shell waits for our group to stop, too. If our group is orphaned, the kernel does not let ^Z stop it,
    // so the job must go on.
    if (event.type === 'stopped' && hello.terminal && !stopOwnGroup() && event.signal === SIGTSTP) {
      keeper.resume().catch((error: Error) => log.debug(`resume: ${error.message}`));
    }
    if (event.type === 'gone') {
      keeperGone = true;
      // If the job ran, its last sample still needs the groups, so they are removed later.
      if (box.pid === 0) removeCgroup(cgroup);
    }
    box.onKeeper(event);
  };
  // If the job died of a signal of the scheduler, the wrapper's own signal may still be on its way.
  return {
    onSignal,
    onKeeper: holdEnd(onKeeper, ({ code, signal }) => scheduled.settled(code === SHELL_TERM || signal === SIGTERM)),
  };
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
