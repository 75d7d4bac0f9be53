import { closeSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { exitNow, Members, prlimit, redirectStderr, sampleTree, type TreeSample } from 'cgroup-utils-native';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { releaseCgroup } from '../cgroup/create.js';
import { moveAll } from '../cgroup/join.js';
import { EnvironmentError } from '../errors.js';
import { createLogger } from '../log.js';
import type { BoxSpec, RlimitRequest } from '../spec/spec.js';
import { ADOPT_HELP, type AdoptInput, type AdoptOptions, adoptSpec, parseAdopt } from './adopt-options.js';
import { prepareResources } from './resources.js';
import type * as RunBundle from './run.js';
import type { Adopted, Subject } from './subject.js';
import { ancestorsBelow, commandOf, readTarget, stdoutModeOf } from './target.js';

/** Whoever started us with `--detach` waits for one byte here; native/src/front.cc knows it too. */
const WORD_FD = 4;
/** Without a group a process that leaves the tree of its parents is known only where it was seen before. */
const LOOK_MS = 1000;

export interface Adoptable
  extends Pick<
      RunBundle.RunOptions,
      'keeper' | 'hello' | 'boxId' | 'loadAmqp' | 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'deliverSignals'
    >,
    Omit<AdoptInput, 'settings'> {
  readonly loadRun: () => typeof RunBundle;
}

/**
 * `proc_box adopt`: groups and limits at once, then the word that it is done, then supervision.
 * @throws SpecError, EnvironmentError; the process then runs as before
 */
export function adopt(input: Adoptable): RunBundle.Run {
  const { keeper, hello, boxId } = input;
  const options = parseAdopt(hello.argv);
  if (options === null) {
    writeSync(1, ADOPT_HELP);
    return exitNow(0);
  }
  const target = readTarget(options.pid, [process.pid, ...keeper.pids], process.env);
  const { spec, warnings } = adoptSpec(options.boxWords, target.environment, { ...input, settings: hello.settings });
  const { pid, startTicks } = target;
  const uncounted = whyUncounted(spec, pid);
  if (uncounted !== null && spec.enforce === 'strict') throw new EnvironmentError(`${uncounted} (--enforce strict)`);
  // Where it is our ancestor, who stands between waits for us and is not of the box.
  const excluded = [process.pid, ...keeper.pids, ...ancestorsBelow(pid, process.pid)];
  const before = new Members({ pid, startTicks, excluded, procsFile: null });
  const adopted: Adopted = {
    pid,
    join: (procsFile) => moveAll(procsFile, () => before.look()),
    detached: options.detach,
    onEnd: () => removePidFile(options),
  };
  let walk: Subject['walk'] = (rows) => sampleTree(before.look(), rows);
  const subject: Subject = {
    environment: target.environment,
    user: target.user,
    walk: (rows) => walk(rows),
    blind: null,
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
  keeper.adopt({ ...target, excluded, cgroup: { procsFile, freezer, killFile }, stdoutMaxBytes });
  if (procsFile === null) setInterval(() => members.look(), LOOK_MS).unref();
  const told = uncounted === null ? warnings : [...warnings, uncounted];
  tellWhoWaits(options, spec.nowarn ? [] : [...told, ...control.warnings]);

  let running: RunBundle.Run | undefined;
  return {
    onSignal: (delivery) => running?.onSignal(delivery),
    onKeeper(event) {
      if (event.type === 'started') {
        // First, while it is there: it may end at any time.
        const command = commandOf(pid);
        const stdoutMode = stdoutModeOf(pid);
        running = input.loadRun().run({
          ...input,
          strangers: [],
          hello: { ...hello, stdoutMode, terminal: false },
          spec: { ...spec, command },
          warnings: told,
          subject,
          cgroup,
          resources: control,
          onBox: (made) => {
            box = made;
          },
        });
      }
      if (running !== undefined) running.onKeeper(event);
      else if (event.type === 'failed' || event.type === 'gone') endedBefore(options, event.type === 'gone');
    },
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
function setRlimit(members: Members, main: number, { name, soft, hard }: RlimitRequest): void {
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
        if (code === 'ESRCH' && pid !== main) continue;
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

/** The box is made: whoever waits goes on, and we are nobody's output any more. The warnings are for who reads no log. */
function tellWhoWaits({ detach, logFile, pidFile }: AdoptOptions, warnings: readonly string[]): void {
  if (pidFile !== null) writeFileSync(pidFile, `${process.pid}\n`);
  if (logFile !== null) redirectStderr(logFile);
  if (!detach) return;
  const log = createLogger('warn');
  if (logFile === null) for (const warning of warnings) log.warn(warning);
  writeSync(WORD_FD, '\0');
  closeSync(WORD_FD);
  if (logFile === null) redirectStderr('/dev/null');
}

function removePidFile({ pidFile }: AdoptOptions): void {
  if (pidFile !== null) rmSync(pidFile, { force: true });
}

/** It has ended between our look and the keeper's, or the keeper was killed. */
function endedBefore(options: AdoptOptions, keeperDied: boolean): never {
  removePidFile(options);
  createLogger('error').error(
    keeperDied ? 'the keeper has died; the process goes on alone' : `--pid ${options.pid}: it has ended`,
  );
  return exitNow(EXIT.failed);
}
