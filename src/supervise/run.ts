import {
  hostname,
  hostSample,
  type Keeper,
  type KeeperEvent,
  monotonicMs,
  type SignalDelivery,
  stopOwnGroup,
} from 'cgroup-utils-native';
import type * as Amqp from '../amqp/index.js';
import type * as Signed from '../amqp/signed.js';
import { Box, type BoxEnd } from '../box/box.js';
import { EXIT, type Outcome } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import { systemTime } from '../box/time.js';
import { killCgroup, removeCgroup } from '../cgroup/create.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { describeError } from '../errors.js';
import { readFile } from '../kernel/files.js';
import { hostFacts } from '../kernel/host.js';
import { boxPressure } from '../kernel/pressure.js';
import { createLogger, type Logger } from '../log.js';
import type { Outgoing, Requester } from '../model/types.js';
import { duration, limitAmount } from '../options/amounts.js';
import { signalName } from '../options/signals.js';
import { type BoxSpec, isObserved, type JobIdentity } from '../options/spec.js';
import { identifyJob } from '../scheduler/identity.js';
import { signalPatienceMs } from '../scheduler/signalling.js';
import type * as Spool from '../spool/index.js';
import { formatReport } from '../stats/report.js';
import { createSampler } from '../stats/sampler.js';
import { printable } from '../text.js';
import { createDeliveries } from './deliveries.js';
import { holdEnd } from './hold-end.js';
import { type Host, ownProcess } from './host.js';
import type * as LaunchFailure from './launch-failure.js';
import type * as ReportFile from './report-file.js';
import { createScheduled } from './scheduled.js';
import { handleAdopted, handleSignals, senderOf } from './signals.js';
import type * as Slurm from './slurm.js';
import type { Subject } from './subject.js';

const SIGTERM = 15;
const SIGTSTP = 20;
/** What a shell gives where SIGTERM has ended its last command. */
const SHELL_TERM = 128 + SIGTERM;

export interface Run {
  onKeeper(event: KeeperEvent): void;
  onSignal(delivery: SignalDelivery): void;
}

export interface RunOptions {
  readonly keeper: Keeper;
  readonly hello: Pick<Extract<KeeperEvent, { type: 'hello' }>, 'stdoutMode' | 'terminal'>;
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
  readonly subject: Subject;
  readonly boxId: string;
  readonly cgroup: BoxCgroup;
  readonly resources: ResourceControl;
  /** Gets the box as soon as it is made. */
  readonly onBox: (box: Box) => void;
  /** Loads rascal and what is around it: called after the job has started. */
  readonly loadAmqp: () => typeof Amqp;
  readonly loadSlurm: () => typeof Slurm;
  /** Loads what checks signatures. */
  readonly loadSigned: () => typeof Signed;
  readonly loadSpool: () => typeof Spool;
  /** Loads the words for a job that could not be started. */
  readonly loadLaunchFailure: () => typeof LaunchFailure;
  /** Loads what writes `--report-file`. */
  readonly loadReportFile: () => typeof ReportFile;
  /** Delivers at once what signals have come so far. */
  readonly deliverSignals: () => void;
  /** @default a process of the box's own */
  readonly host?: Host;
  /** Awaited at the end, for no more than seconds: what is told beside the box. */
  readonly beside?: Promise<void>;
}

/** Wires box, broker, signals and the end of the process around a job that the keeper is launching. */
export function run(options: RunOptions): Run {
  const { keeper, hello, spec, warnings, subject, boxId, cgroup, resources, onBox } = options;
  const { deliverSignals, host = ownProcess() } = options;
  const { adopted } = subject;
  const log = createLogger(spec.debug ? 'debug' : spec.nowarn ? 'error' : 'info', { write: host.write });
  const identity = identifyJob(subject.environment, { user: subject.user, host: hostname(), box: boxId });
  const pressure = boxPressure(cgroup.pressureDir);
  let keeperGone = false;
  const writeReport = async (report: BoxEnd['report']) => {
    if (spec.reportFile === undefined || report === null) return;
    try {
      await options.loadReportFile().writeReportFile({ report, path: spec.reportFile, subject, log });
    } catch (error) {
      // The bundle is missing.
      log.warn(`--report-file: ${(error as Error).message}`);
    }
  };
  const broker = createBroker(spec, log, options);
  const scheduled = createScheduled({
    spec,
    log,
    scheduler: identity.scheduler,
    subject,
    groups: cgroup.dirs,
    loadSlurm: options.loadSlurm,
  });
  const box = new Box({
    spec,
    resources,
    identity,
    keeper,
    adopted: adopted !== null,
    killGroup: () => killCgroup(cgroup),
    stdoutMode: hello.stdoutMode,
    log,
    time: systemTime,
    createSampler: (of, pid, startedMs) =>
      createSampler({
        identity,
        pid,
        startedMs,
        stdoutMode: hello.stdoutMode,
        userData: spec.userData,
        rows: spec.rows,
        pss: spec.pss,
        cgroup,
        rowsIntervalMs: spec.rowsIntervalMs,
        log,
        tree: subject.walk,
        usage: () => keeper.usage(),
        status: () => ({
          state: of.state,
          timer: of.clock.status(),
          limits: Object.fromEntries(of.limits),
          near: of.near.reached,
          dropped: broker.dropped(),
        }),
        hostFacts: () => hostFacts(identity.host),
        hostSample,
        pressure,
        sequence: () => of.nextSequence(),
        emit: ({ outgoing }) => broker.publish(outgoing),
        monotonicMs,
      }),
    observed: isObserved(spec),
    schedulerGraceMs: scheduled.graceMs,
    emit: (message) => broker.publish(message),
    audit: (event) => broker.audit(event),
    dropped: () => broker.dropped(),
    brokerState: () => broker.state(),
    onDeadline: host.bound,
    onStarted: () => {
      host.started(spec.flushMs);
      for (const warning of [...warnings, ...resources.warnings]) log.warn(warning);
      // Who is told that there is no box is not told of its start.
      if (options.beside === undefined) log.info(startLine(box, spec));
      broker.connect(box);
      scheduled.started(box);
    },
    onEnded: (end) => {
      scheduled.close();
      host.write(endLines(end, spec));
      const { outcome, report } = end;
      const reported = writeReport(report);
      // Groups among the scheduler's own must have gone before it takes those away.
      if (adopted !== null) host.finish(keeper);
      void Promise.all([broker.close(spec.flushMs), options.beside, reported]).then(() => {
        if (adopted === null) host.finish(keeper);
        if (keeperGone) removeCgroup(cgroup);
        cgroup.close();
        pressure.close();
        host.ended(outcome.exitStatus, adopted === null ? signalToDieOf(outcome, spec, identity.scheduler) : null);
      });
    },
  });
  onBox(box);
  const release = async (by: Requester) => {
    await box.release(by);
    await broker.close(spec.flushMs);
    keeper.close();
    host.ended(0, null);
  };
  const deliveries = createDeliveries(() => signalPatienceMs(process.env, readFile));
  const onSignal =
    adopted === null
      ? handleSignals(box, keeper, spec, deliveries)
      : handleAdopted(box, adopted.detached ? null : release);
  host.guard(log);

  const onKeeper = (event: KeeperEvent) => {
    if (event.type === 'witnessed') {
      // Its job may have ended of it before the wrapper gets its own.
      if (event.signal === SIGTERM && identity.scheduler !== 'none')
        box.asked('scheduler', { via: 'signal', signal: 'SIGTERM', ...senderOf(event) }, event.atMs);
      box.witnessed(`SIG${signalName(event.signal)}`, event.atMs);
      return deliveries.witnessed(event);
    }
    if (event.type === 'exited') deliverSignals();
    if (event.type === 'failed') {
      for (const warning of warnings) log.warn(warning);
      let exitStatus: number = EXIT.failed;
      try {
        const failure = options.loadLaunchFailure().launchFailure(event, spec);
        ({ exitStatus } = failure);
        log.error(failure.message);
      } catch (error) {
        // There is no job: whatever else is wrong, this is the end.
        log.error(`launch the job: ${event.step}: ${event.code} (${describeError(error, spec.debug)})`);
      }
      host.finish(keeper);
      return host.ended(exitStatus, null);
    }
    // ^Z: the shell waits for our group to stop, too. Without a shell the kernel lets ^Z stop nothing.
    if (event.type === 'stopped' && hello.terminal && !stopOwnGroup() && event.signal === SIGTSTP) {
      keeper.resume().catch((error: Error) => log.debug(`resume: ${error.message}`));
    }
    if (event.type === 'gone') {
      keeperGone = true;
      // The groups of a job that ran have the figures of its last sample: they go after it.
      if (box.pid === 0) removeCgroup(cgroup);
    }
    box.onKeeper(event);
  };
  // The scheduler's signal that the job has died of may wait beside its end, or be on its way.
  return {
    onSignal,
    onKeeper: holdEnd(onKeeper, ({ code, signal }) => scheduled.settled(code === SHELL_TERM || signal === SIGTERM)),
  };
}

/** The broker is optional and comes second: messages wait here until it is loaded. */
function createBroker(spec: BoxSpec, log: Logger, load: Pick<RunOptions, 'loadAmqp' | 'loadSigned' | 'loadSpool'>) {
  const waiting: Outgoing[] = [];
  let link: Amqp.BrokerLink | undefined;
  let loaded: Promise<void> = Promise.resolve();
  return {
    publish(message: Outgoing): void {
      if (link !== undefined) link.publish(message);
      else if (spec.uris.length > 0) waiting.push(message);
    },
    /** Commands come over the link alone. */
    audit: (event: Parameters<Amqp.BrokerLink['audit']>[0]) => link?.audit(event),
    dropped: () => link?.dropped ?? 0,
    state: () => link?.state() ?? null,
    connect(box: Box): void {
      if (spec.uris.length === 0) return;
      loaded = new Promise((resolve) => {
        setImmediate(() => {
          try {
            link = load.loadAmqp().connectBroker(spec, box, log, load.loadSigned, load.loadSpool);
            for (const message of waiting.splice(0)) link.publish(message);
          } catch (error) {
            log.error(`no remote control and no statistics: ${describeError(error, spec.debug)}`);
          }
          resolve();
        });
      });
    },
    async close(flushMs: number): Promise<void> {
      await loaded;
      const { undelivered = 0, spooled = null, given = 'time' } = (await link?.close(flushMs)) ?? {};
      // That there is no broker was said when the job began.
      if (undelivered === 0 || given === 'nothing: not asked') return;
      const within = given === 'time' ? ` within ${duration(flushMs)}` : ': the broker has refused the login';
      const late = `${undelivered} messages were not delivered${within}; `;
      if (spooled === null && given !== 'time') log.warn(`${late}the end has not waited for it`);
      else if (spooled === null) log.warn(`${late}--flush sets how long the end waits for the broker`);
      else log.warn(`${late}they are in ${spooled}: the next box of this user or "proc_box spool flush" delivers them`);
    },
  };
}

/** What stderr gets about the end: the report where it was asked for, why the job ended, and how long it ran. */
function endLines({ outcome, elapsedMs, why, report }: BoxEnd, spec: BoxSpec): string {
  const lines = spec.report && report !== null ? formatReport(report) : '';
  // The keeper's death has been logged as an error.
  const told = why !== null && outcome.reason !== 'failed' && (!spec.quiet || isBoxesDoing(outcome));
  const line = told ? `proc_box: ${printable(why)}\n` : '';
  return `${lines}${line}${spec.quiet ? '' : `Task elapsed time: ${(elapsedMs / 1000).toFixed(2)} seconds.\n`}`;
}

/** A limit of the box, or a command to it, has ended the job: not the job itself, and nobody who signals processes. */
function isBoxesDoing({ by }: Outcome): boolean {
  return by?.via === 'limit' || by?.via === 'amqp';
}

function startLine(box: Box, spec: BoxSpec): string {
  const { timeoutMs, timeoutSource } = spec;
  const timeout = timeoutMs === 0 ? 'no wall clock limit' : `wall clock limit ${duration(timeoutMs)}`;
  const limits = [...box.limits]
    .filter(([name, { value }]) => name !== 'timeout' && value !== 'unlimited')
    .map(([name, limit]) => `${name}=${limitAmount(limit)} (${limit.enforcement})`);
  const { job, step, task, box: id } = box.identity;
  const where = `${step === null ? '' : ` step ${step}`}${task === null ? '' : ` task ${task}`}`;
  return `job ${job}${where} started in box ${id}, pid ${box.pid}: ${[`${timeout} (${timeoutSource})`, ...limits].join(', ')}`;
}

/** Whoever asks for it gets the job's signal as the wrapper's own end; PBS counts 256+n then. */
function signalToDieOf({ signal }: Outcome, spec: BoxSpec, scheduler: JobIdentity['scheduler']): number | null {
  return spec.reraise || scheduler === 'pbs' ? signal : null;
}
