import { closeSync, openSync, writeSync } from 'node:fs';
import { holdOpen, type KeeperEvent, redirectStderr, type SignalDelivery } from 'cgroup-utils-native';
import { type AdoptionInput, adoptProcess, type Boxed, type Loaders } from '../adopt/adopted-box.js';
import type { ShownProcess } from '../adopt/main-process.js';
import { ADOPT_HELP, type AdoptInput, type AdoptOptions, parseAdopt } from '../adopt/options.js';
import { EnvironmentError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import { createLogger } from '../log.js';
import { printAndExit } from '../print.js';
import { type BoxProcess, ownProcess } from '../supervise/box-process.js';
import { lockedPidFile, openLog } from '../supervise/own-files.js';
import type * as RunBundle from '../supervise/run.js';
import { ourProcesses } from '../supervise/subject.js';

/** With `--detach`, the process that started us waits for one byte here; also in native/src/front/node.cc. */
const WORD_FD = 6;

export interface Adoptable
  extends Loaders,
    Omit<AdoptInput, 'settings' | 'failsOpen'>,
    Pick<AdoptionInput, 'keeper' | 'boxId' | 'deliverSignals'> {
  readonly hello: Pick<Extract<KeeperEvent, { type: 'hello' }>, 'argv' | 'settings' | 'failsOpen'>;
  /** The process is not in a box, and runs as before. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * `proc_box adopt`: makes groups and sets limits, reports that the box is made, and supervises it.
 * @throws SpecError; the process then runs as before
 */
export function adopt(input: Adoptable): RunBundle.Run {
  const options = parseAdopt(input.hello.argv);
  if (options === null) return printAndExit(ADOPT_HELP);
  const files = openFiles(options);
  const early: SignalDelivery[] = [];
  let run: RunBundle.Run | undefined;
  const fail = (error: unknown) => {
    files.pid?.remove();
    input.onFailed(error);
  };
  const begin = async (shown: ShownProcess) => {
    const boxed = await box(input, options, shown, files);
    tellWhoWaits(options, boxed, files.log);
    run = boxed.run;
    for (const delivery of early) void run.onSignal(delivery);
  };
  return {
    async onSignal(delivery) {
      if (run === undefined) early.push(delivery);
      else await run.onSignal(delivery);
    },
    onKeeper(event) {
      if (run !== undefined) run.onKeeper(event);
      else if (event.type === 'process') begin(event).catch(fail);
      else if (event.type === 'gone') fail(new EnvironmentError('the keeper has died before the process was in a box'));
    },
  };
}

type OwnFiles = ReturnType<typeof openFiles>;

function box(input: Adoptable, options: AdoptOptions, shown: ShownProcess, files: OwnFiles): Promise<Boxed> {
  const { keeper, hello } = input;
  const own = ownProcess();
  const boxProcess: BoxProcess = {
    ...own,
    ended(exitStatus) {
      files.pid?.remove();
      own.ended(exitStatus, null);
    },
  };
  return adoptProcess({
    ...input,
    options,
    shown,
    boxProcess,
    settings: hello.settings,
    failsOpen: hello.failsOpen,
    uid: process.geteuid?.() ?? -1,
    opensAsOwner: true,
    environment: process.env,
    folder: process.cwd(),
    frontPid: process.ppid,
    ourPids: ourProcesses(keeper),
    withFiles: async (parse) => parse(input.files),
    run: (task) => runInKeeper(keeper, task),
  });
}

/** Opens them before the box is made, so that the process runs as before if that fails. @throws SpecError */
function openFiles({ logFile, pidFile }: AdoptOptions) {
  const log = logFile === null ? null : openLog('--log-file', logFile);
  return { log, pid: pidFile === null ? null : lockedPidFile(pidFile, holdOpen) };
}

/**
 * Reports that the box is made. With `--detach` the caller goes on, and stderr is redirected so that we do not hold it
 * open. Without a log file the warnings are written to stderr first.
 */
function tellWhoWaits({ detach }: AdoptOptions, { warnings }: Boxed, logFd: number | null): void {
  if (logFd !== null) redirectStderr(logFd);
  if (!detach) return;
  const log = createLogger('warn');
  if (logFd === null) {
    for (const warning of warnings) log.warn(warning);
    redirectStderr(openSync('/dev/null', 'w'));
  }
  writeSync(WORD_FD, '\0');
  closeSync(WORD_FD);
}
