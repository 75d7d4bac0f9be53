import { Members, prlimit } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { moveAll } from '../cgroup/join.js';
import { releaseCgroup } from '../cgroup/remove.js';
import { EnvironmentError, isEnvironmentError, isSpecError } from '../errors.js';
import { inThisProcess, runHere } from '../kernel/run-task.js';
import { known } from '../kernel/task.js';
import { createLogger } from '../log.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';
import type { Environment } from '../scheduler/identity.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { prepareResources } from '../supervise/resources.js';
import type * as RunBundle from '../supervise/run.js';
import type { Adopted, Subject } from '../supervise/subject.js';
import { tryOn, withinAllowed } from '../supervise/within-allowed.js';
import { ancestorsBelow, commandOf, type MainProcess, readMainProcess, stdoutModeOf } from './main-process.js';
import { type AdoptInput, type AdoptOptions, type AdoptSpec, adoptLimits, adoptSpec } from './options.js';

/** Loads the bundles of a box, each when it is needed. */
export type Loaders = Pick<
  RunBundle.RunOptions,
  'loadAmqp' | 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'
> & {
  readonly loadRun: () => typeof RunBundle;
};

export interface AdoptionInput extends Loaders, AdoptInput {
  /** A keeper that has said hello. */
  readonly keeper: RunBundle.RunOptions['keeper'];
  readonly options: AdoptOptions;
  readonly boxId: string;
  readonly boxProcess: BoxProcess;
  readonly deliverSignals: () => void;
  /** The caller's environment; identifies the job if the process does not show its own. */
  readonly environment: Environment;
  /** Pid of the caller. If it descends from the process, it and the processes between are not part of the box. */
  readonly caller: number;
  /** Pids of the supervisor and its keepers. */
  readonly ourPids: readonly number[];
}

export interface Boxed {
  readonly run: RunBundle.Run;
  readonly warnings: readonly string[];
  /** Some of its groups lie outside the delegated ones, among those that the scheduler removes. */
  readonly amongOthers: boolean;
}

/**
 * Puts a running process into a box. Groups and limits are in force when this returns; supervision follows.
 * @throws SpecError, EnvironmentError; the process then runs as before
 */
export function adoptProcess(input: AdoptionInput): Boxed {
  const { options } = input;
  const main = readMainProcess(options.pid, input.ourPids, input.environment);
  const adoptable = adoptSpec(options.boxWords, main.environment, input);
  try {
    return makeBox(input, main, adoptable);
  } catch (error) {
    if (!(isEnvironmentError(error) || isSpecError(error)) || !input.failsOpen) throw error;
    try {
      const spec = { ...adoptable.spec, enforce: 'best-effort', ignored: error.message } as const;
      const warning = `${error.message}; the process is boxed with those of its limits that can be held (--failure open)`;
      if (adoptable.spec.enforce === 'strict')
        return makeBox(input, main, { spec, warnings: [...adoptable.warnings, warning] });
    } catch (again) {
      if (!(isEnvironmentError(again) || isSpecError(again))) throw again;
    }
    return makeBox(input, main, adoptLimits(options.boxWords, main.environment, input, error));
  }
}

function makeBox(input: AdoptionInput, main: MainProcess, assembled: AdoptSpec): Boxed {
  const asked = assembled.spec;
  const { keeper, boxId, options } = input;
  const { pid, startTicks } = main;
  const uncounted = whyUncounted(asked, pid);
  if (uncounted !== null && asked.enforce === 'strict') throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  const { spec, warnings } = tryOn(pid, withinAllowed(assembled, 'file'));
  // If the process is an ancestor of the caller, the processes between them wait for us and are not part of the box.
  const excluded = [...new Set([...input.ourPids, input.caller, ...ancestorsBelow(pid, input.caller)])];
  const before = new Members({ pid, startTicks, excluded, procsFile: null });
  const adopted: Adopted = {
    pid,
    join: (procsFile) => moveAll(procsFile, () => known<readonly number[]>(before.look())),
    detached: options.detach,
  };
  const subject = subjectOf(input, main, adopted, excluded);
  let box: Box | undefined;
  const resources = { spec, boxId, keeper, subject, box: () => box, run: inThisProcess };
  const { cgroup, control } = runHere(prepareResources(resources));
  try {
    for (const request of spec.rlimits) setRlimit(before, pid, request);
  } catch (error) {
    runHere(releaseCgroup(cgroup, adopted));
    throw error;
  }
  const { procsFile, freezer, killFile } = cgroup;
  const { stdoutMaxBytes } = spec;
  keeper.adopt({ ...main, excluded, cgroup: { procsFile, freezer, killFile }, stdoutMaxBytes });
  const told = uncounted === null ? warnings : [...warnings, uncounted];
  const run = runOnceTaken(input, () => {
    // Read this before the bundle is loaded, because the process may end at any time.
    const [command, stdoutMode] = [commandOf(pid), stdoutModeOf(pid)];
    return input.loadRun().run({
      ...input,
      hello: { stdoutMode, terminal: false },
      spec: { ...spec, command },
      warnings: told,
      subject,
      cgroup,
      resources: control,
      onBox: (made) => {
        box = made;
      },
    });
  });
  const delegated = spec.cgroup === 'auto' || spec.cgroup === 'off' ? [] : spec.cgroup;
  return {
    run,
    warnings: spec.nowarn ? [] : [...told, ...control.warnings],
    amongOthers: cgroup.dirs.some((dir) => !delegated.some((top) => dir.startsWith(`${top}/`))),
  };
}

function subjectOf(input: AdoptionInput, main: MainProcess, adopted: Adopted, ourPids: readonly number[]): Subject {
  return {
    environment: main.environment,
    user: main.user,
    frontPid: process.ppid,
    files: () => ({
      home: main.environment['HOME'],
      folder: input.environment['PWD'] ?? '/',
      owner: main.uid === process.geteuid?.() ? null : { uid: main.uid, gid: main.gid },
    }),
    ourPids,
    adopted,
  };
}

/** Supervises the process from the moment when the keeper has taken it over. */
function runOnceTaken({ options, boxProcess }: AdoptionInput, begin: () => RunBundle.Run): RunBundle.Run {
  let running: RunBundle.Run | undefined;
  return {
    onSignal: (delivery) => running?.onSignal(delivery),
    onKeeper(event) {
      if (event.type === 'started') running = begin();
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
function whyUncounted({ stdoutAsked, stdoutMaxBytes }: BoxSpec, pid: number): string | null {
  if (!stdoutAsked || stdoutMaxBytes === 0 || stdoutModeOf(pid) === 'file') return null;
  return `--stdoutlimit has no effect: stdout of ${pid} is not a file, and only output to a file can be counted (docs/adopt.md)`;
}

/**
 * Sets the limit for every process. Loops until no new process appears, since a fork inherits its parent's old limit.
 * @throws EnvironmentError
 */
function setRlimit(members: Members, mainPid: number, { name, soft, hard }: RlimitRequest): void {
  const done = new Set<number>();
  for (let fresh = true; fresh; ) {
    fresh = false;
    for (const pid of members.look()) {
      if (done.has(pid)) continue;
      done.add(pid);
      fresh = true;
      try {
        prlimit(pid, name, { ...(soft !== undefined && { soft }), ...(hard !== undefined && { hard }) });
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code === 'ESRCH' && pid !== mainPid) continue;
        const remedy =
          code === 'EPERM'
            ? 'raising a hard limit, or setting limits of another user, needs CAP_SYS_RESOURCE'
            : '`man setrlimit` tells the range';
        throw new EnvironmentError(`set --rlimit ${name}=${soft ?? ''}:${hard ?? ''} of ${pid}: ${code}; ${remedy}`, {
          cause,
        });
      }
    }
  }
}
