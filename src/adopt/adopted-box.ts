import { Members, prlimit, sampleTree, type TreeSample } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { moveAll } from '../cgroup/join.js';
import { releaseCgroup } from '../cgroup/remove.js';
import { EnvironmentError, isEnvironmentError, isSpecError } from '../errors.js';
import { createLogger } from '../log.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';
import type { Environment } from '../scheduler/identity.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { prepareResources } from '../supervise/resources.js';
import type * as RunBundle from '../supervise/run.js';
import type { Adopted, Subject } from '../supervise/subject.js';
import { withinAllowed } from '../supervise/within-allowed.js';
import { ancestorsBelow, commandOf, type MainProcess, readMainProcess, stdoutModeOf } from './main-process.js';
import { type AdoptInput, type AdoptOptions, type AdoptSpec, adoptLimits, adoptSpec } from './options.js';

/** Without a group a process that leaves the tree of its parents is known only where it was seen before. */
const LOOK_MS = 1000;

/** Bundles that a box needs; each is loaded when it is needed. */
export type Loaders = Pick<
  RunBundle.RunOptions,
  'loadAmqp' | 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'
> & {
  readonly loadRun: () => typeof RunBundle;
};

export interface AdoptionInput extends Loaders, AdoptInput {
  /** Has said hello. */
  readonly keeper: RunBundle.RunOptions['keeper'];
  readonly options: AdoptOptions;
  readonly boxId: string;
  readonly boxProcess: BoxProcess;
  readonly deliverSignals: () => void;
  /** Of who asks for the box: says which job it is where the process does not show its own. */
  readonly environment: Environment;
  /** Who asks for the box, and with its parents up to the process is not of it. */
  readonly caller: number;
  /** Supervisor and keepers. */
  readonly ourPids: readonly number[];
}

export interface Boxed {
  readonly run: RunBundle.Run;
  readonly warnings: readonly string[];
  /** Some of its groups are the scheduler's to take away, with those around them: not below what was delegated. */
  readonly amongOthers: boolean;
}

/**
 * Groups and limits around a process that runs already, in force when this returns; then supervision.
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
      const warning = `${error.message}; it is boxed with those of its limits that can be held (--failure open)`;
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
  const { keeper, boxId, options, boxProcess } = input;
  const { pid, startTicks } = main;
  const uncounted = whyUncounted(asked, pid);
  if (uncounted !== null && asked.enforce === 'strict') throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  const { spec, warnings } = withinAllowed(assembled, pid, 'file');
  // Where it is an ancestor of who asks, who stands between waits for us and is not of the box.
  const excluded = [...new Set([...input.ourPids, input.caller, ...ancestorsBelow(pid, input.caller)])];
  const before = new Members({ pid, startTicks, excluded, procsFile: null });
  const adopted: Adopted = {
    pid,
    join: (procsFile) => moveAll(procsFile, () => before.look()),
    detached: options.detach,
  };
  let walk: Subject['walk'] = (rows) => sampleTree(before.look(), rows);
  const subject: Subject = {
    environment: main.environment,
    user: main.user,
    walk: (rows) => walk(rows),
    blind: null,
    files: () => ({
      home: main.environment['HOME'],
      folder: input.environment['PWD'] ?? '/',
      owner: main.uid === process.geteuid?.() ? null : { uid: main.uid, gid: main.gid },
    }),
    ourPids: excluded,
    adopted,
  };
  let box: Box | undefined;
  const { cgroup, control } = prepareResources(spec, boxId, keeper, subject, () => box);
  try {
    for (const request of spec.rlimits) setRlimit(before, pid, request);
  } catch (error) {
    releaseCgroup(cgroup, adopted);
    throw error;
  }
  const { procsFile, freezer, killFile } = cgroup;
  const { stdoutMaxBytes } = spec;
  const members = new Members({ pid, startTicks, excluded, procsFile });
  walk = sinceNow(members);
  keeper.adopt({ ...main, excluded, cgroup: { procsFile, freezer, killFile }, stdoutMaxBytes });
  const looking = procsFile === null ? setInterval(() => members.look(), LOOK_MS).unref() : undefined;
  const told = uncounted === null ? warnings : [...warnings, uncounted];
  const ended: BoxProcess['ended'] = (...how) => {
    clearInterval(looking);
    boxProcess.ended(...how);
  };

  let running: RunBundle.Run | undefined;
  const run: RunBundle.Run = {
    onSignal: (delivery) => running?.onSignal(delivery),
    onKeeper(event) {
      if (event.type === 'started') {
        // First, while it is there: it may end at any time.
        const command = commandOf(pid);
        const stdoutMode = stdoutModeOf(pid);
        running = input.loadRun().run({
          ...input,
          hello: { stdoutMode, terminal: false },
          spec: { ...spec, command },
          warnings: told,
          subject,
          cgroup,
          resources: control,
          boxProcess: { ...boxProcess, ended },
          onBox: (made) => {
            box = made;
          },
        });
      }
      if (running !== undefined) return running.onKeeper(event);
      if (event.type !== 'failed' && event.type !== 'gone') return;
      createLogger('error', { write: boxProcess.write }).error(
        // Ended between our look and the keeper's.
        event.type === 'gone' ? 'the keeper has died; the process goes on alone' : `--pid ${options.pid}: it has ended`,
      );
      // The keeper stays as long as others of the box do: nobody waits for it.
      ended(EXIT.failed, null);
    },
  };
  const delegated = spec.cgroup === 'auto' || spec.cgroup === 'off' ? [] : spec.cgroup;
  return {
    run,
    warnings: spec.nowarn ? [] : [...told, ...control.warnings],
    amongOthers: cgroup.dirs.some((dir) => !delegated.some((top) => dir.startsWith(`${top}/`))),
  };
}

/** Nobody is between an adopted process and its reader: only the offset of a file tells what it writes. */
function whyUncounted({ stdoutAsked, stdoutMaxBytes }: BoxSpec, pid: number): string | null {
  if (!stdoutAsked || stdoutMaxBytes === 0 || stdoutModeOf(pid) === 'file') return null;
  return `--stdoutlimit has no effect: stdout of ${pid} is no file, and what goes elsewhere is not counted (docs/adopt.md)`;
}

/** What the processes have used before their box was made is not its usage. */
function sinceNow(members: Members): Subject['walk'] {
  const { userUsec, systemUsec, guestUsec, iowaitUsec, readCount, writeCount, readBytes, writeBytes } = sampleTree(
    members.look(),
  );
  const base = { userUsec, systemUsec, guestUsec, iowaitUsec, readCount, writeCount, readBytes, writeBytes };
  return (rows): TreeSample => {
    const now = sampleTree(members.look(), rows);
    const since = Object.entries(base).map(([name, usec]) => [
      name,
      Math.max(0, now[name as keyof typeof base] - usec),
    ]);
    return { ...now, ...Object.fromEntries(since) };
  };
}

/** Of every process: one that is forked meanwhile has the limits of its parent. @throws EnvironmentError */
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
            ? 'raising a hard limit, and limits of another user, need CAP_SYS_RESOURCE'
            : '`man setrlimit` tells the range';
        throw new EnvironmentError(`set --rlimit ${name}=${soft ?? ''}:${hard ?? ''} of ${pid}: ${code}; ${remedy}`, {
          cause,
        });
      }
    }
  }
}
