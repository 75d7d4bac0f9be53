import type { KeeperEvent } from 'cgroup-utils-native';
import type { BrokerLink } from '../amqp/index.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import type { SavedBox } from '../box/saved.js';
import { moveAll } from '../cgroup/join.js';
import { releaseCgroup } from '../cgroup/remove.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { EnvironmentError, isEnvironmentError, isSpecError } from '../errors.js';
import { members, type Task, type TaskRunner } from '../kernel/task.js';
import { createLogger } from '../log.js';
import type { Files } from '../options/files.js';
import type { BoxSpec } from '../options/spec.js';
import type { Environment } from '../scheduler/identity.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { prepareResources, type ResourceInput } from '../supervise/resources.js';
import type * as RunBundle from '../supervise/run.js';
import type { Adopted, Subject } from '../supervise/subject.js';
import { commandOf, type MainProcess, readMainProcess, type ShownProcess } from './main-process.js';
import { type AdoptInput, type AdoptOptions, type AdoptSpec, adoptLimits, adoptSpec } from './options.js';
import { setRlimits } from './rlimits.js';

/** Loads the bundles of a box, each when it is needed. */
export type Loaders = Pick<
  RunBundle.RunOptions,
  'loadAmqp' | 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'
> & {
  readonly loadRun: () => typeof RunBundle;
};

export interface AdoptionInput
  extends Loaders,
    Omit<AdoptInput, 'files'>,
    Pick<RunBundle.RunOptions, 'onChanged' | 'deliverSignals' | 'time'>,
    Pick<Subject, 'frontPid' | 'ourPids' | 'writeReport' | 'verified'> {
  /** A keeper that holds the process. */
  readonly keeper: RunBundle.RunOptions['keeper'];
  /** What it has shown of it. */
  readonly shown: ShownProcess;
  /** User of the keeper. */
  readonly uid: number;
  /** Whether files of the box are opened as the process's user. */
  readonly opensAsOwner: boolean;
  readonly options: AdoptOptions;
  readonly boxId: string;
  readonly boxProcess: BoxProcess;
  /** The caller's environment; identifies the job if the process does not show its own. */
  readonly environment: Environment;
  /** Working directory of the caller. */
  readonly folder: string;
  /** Calls `parse` with the files that options name. */
  readonly withFiles: <Result>(parse: (files: Files) => Result) => Promise<Result>;
  /** Makes the groups of the box. @default `run` */
  readonly make?: TaskRunner;
  /** Carries out tasks through the keeper. */
  readonly run: TaskRunner;
  /** Attaches the box to the link of its node. @default a link of its own */
  readonly link?: (box: Box, spec: BoxSpec) => BrokerLink;
  /** What becomes of the parsed options. @default they count as they are */
  readonly fit?: (spec: BoxSpec) => BoxSpec;
  /** Called as soon as the box is made. @default not called */
  readonly onBox?: (box: Box) => void;
}

export interface Boxed {
  readonly run: RunBundle.Run;
  readonly spec: BoxSpec;
  readonly warnings: readonly string[];
}

/**
 * Puts a running process into a box. Groups and limits are in force when this resolves; supervision follows. Rejects with
 * SpecError or EnvironmentError; the process then runs as before.
 */
export async function adoptProcess(input: AdoptionInput): Promise<Boxed> {
  const { options, failsOpen } = input;
  const main = mainOf(input);
  const { environment } = main;
  const adoptable = await input.withFiles((files) => adoptSpec(options.boxWords, environment, { ...input, files }));
  try {
    return await makeBox(input, main, adoptable);
  } catch (error) {
    if (!(isEnvironmentError(error) || isSpecError(error)) || !failsOpen) throw error;
    try {
      const spec = { ...adoptable.spec, enforce: 'best-effort', ignored: error.message } as const;
      const warning = `${error.message}; the process is boxed with those of its limits that can be held (--failure open)`;
      if (adoptable.spec.enforce === 'strict')
        return await makeBox(input, main, { spec, warnings: [...adoptable.warnings, warning] });
    } catch (again) {
      if (!(isEnvironmentError(again) || isSpecError(again))) throw again;
    }
    const limits = (files: Files) => adoptLimits(options.boxWords, environment, { ...input, files }, error);
    return makeBox(input, main, await input.withFiles(limits));
  }
}

/**
 * Goes on with a box that another agent has begun.
 * @param prepared makes the objects of its groups, and nothing in the kernel
 */
export async function resumeAdopted(
  given: AdoptionInput,
  saved: SavedBox,
  prepared: <Result>(task: Task<Result>) => Result,
): Promise<Boxed> {
  const input = { ...given, boxId: saved.boxId };
  const main = mainOf(input);
  const parse = (files: Files) => adoptSpec(input.options.boxWords, main.environment, { ...input, files });
  const assembled = await input.withFiles(parse);
  const parts = partsOf(input, main, assembled);
  const run = supervise(input, parts, assembled.warnings, prepared(prepareResources(parts)), input.shown, saved);
  return { run, spec: parts.spec, warnings: [] };
}

function mainOf({ options, shown, uid, ourPids, environment }: AdoptionInput): MainProcess {
  return readMainProcess(shown, { pid: options.pid, uid, ours: ourPids, environment });
}

async function makeBox(input: AdoptionInput, main: MainProcess, assembled: AdoptSpec): Promise<Boxed> {
  const { keeper, make = input.run, shown } = input;
  const parts = partsOf(input, main, assembled);
  const uncounted = whyUncounted(parts.spec, shown);
  if (uncounted !== null && parts.spec.enforce === 'strict')
    throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  const made = await make(prepareResources(parts));
  const { cgroup } = made;
  const limited = await setRlimits(keeper, main.pid, parts.spec).catch(async (error) => {
    await input.run(releaseCgroup(cgroup, parts.subject.adopted as Adopted));
    throw error;
  });
  const spec = { ...parts.spec, rlimits: limited.rlimits };
  const { procsFile, freezer, killFile } = cgroup;
  const { stdoutMaxBytes } = spec;
  keeper.adopt({ awaitExec: main.awaitExec, cgroup: { procsFile, freezer, killFile }, stdoutMaxBytes });
  const warnings = [...assembled.warnings, ...limited.warnings, ...(uncounted === null ? [] : [uncounted])];
  const run = runOnceTaken(input, (now) => supervise(input, { ...parts, spec }, warnings, made, now));
  return { run, spec, warnings: spec.nowarn ? [] : [...warnings, ...made.control.warnings] };
}

interface Parts extends ResourceInput {
  readonly onBox: (box: Box) => void;
}

function partsOf(input: AdoptionInput, main: MainProcess, assembled: AdoptSpec): Parts {
  const { keeper, boxId, fit = (spec) => spec, run, options } = input;
  const adopted: Adopted = {
    pid: main.pid,
    join: (procsFile) => moveAll(procsFile, members),
    detached: options.detach,
  };
  const subject: Subject = {
    environment: main.environment,
    user: main.user,
    frontPid: input.frontPid,
    files: () => ({
      home: main.environment['HOME'],
      folder: input.folder,
      owner: input.opensAsOwner && main.uid !== input.uid ? { uid: main.uid, gid: main.gid } : null,
    }),
    ...(input.writeReport !== undefined && { writeReport: input.writeReport }),
    ...(input.verified !== undefined && { verified: input.verified }),
    ourPids: input.ourPids,
    adopted,
  };
  let made: Box | undefined;
  const onBox = (box: Box) => {
    made = box;
    input.onBox?.(box);
  };
  return { spec: fit(assembled.spec), boxId, keeper, subject, box: () => made, onBox, run };
}

function supervise(
  input: AdoptionInput,
  { spec, subject, onBox }: Parts,
  warnings: readonly string[],
  { cgroup, control }: { cgroup: BoxCgroup; control: ResourceControl },
  shown: ShownProcess,
  saved?: SavedBox,
): RunBundle.Run {
  const { link } = input;
  return input.loadRun().run({
    ...input,
    ...(link !== undefined && spec.uris.length > 0 && { attach: (box: Box) => link(box, spec) }),
    hello: { stdoutMode: shown.stdoutMode, terminal: false },
    spec: { ...spec, command: [commandOf(shown)] },
    warnings,
    subject,
    cgroup,
    resources: control,
    onBox,
    saved,
  });
}

/** Supervises the process from the moment when the keeper has taken it over. */
function runOnceTaken(
  { options, boxProcess, ...before }: AdoptionInput,
  begin: (shown: ShownProcess) => RunBundle.Run,
): RunBundle.Run {
  let running: RunBundle.Run | undefined;
  let { shown } = before;
  return {
    onSignal: async (delivery) => running?.onSignal(delivery),
    onKeeper(event: KeeperEvent) {
      if (event.type === 'process') shown = event;
      if (event.type === 'started') running = begin(shown);
      if (running !== undefined) return running.onKeeper(event);
      if (event.type !== 'failed' && event.type !== 'gone') return;
      createLogger('error', { write: boxProcess.write }).error(
        // The process ended after we looked at it and before the keeper did.
        event.type === 'gone' ? 'the keeper has died; the process goes on alone' : `--pid ${options.pid}: it has ended`,
      );
      // The keeper stays for as long as other processes of the box do, and we do not wait for it.
      boxProcess.ended(EXIT.failed, null);
    },
  };
}

/** We cannot stand between an adopted process and the reader of its stdout, so we can only count output to a file. */
function whyUncounted({ stdoutAsked, stdoutMaxBytes }: BoxSpec, { pid, stdoutMode }: ShownProcess): string | null {
  if (!stdoutAsked || stdoutMaxBytes === 0 || stdoutMode === 'file') return null;
  return `--stdoutlimit has no effect: stdout of ${pid} is not a file, and only output to a file can be counted (docs/adopt.md)`;
}
