import { closeSync, openSync, writeSync } from 'node:fs';
import { holdOpen, type KeeperEvent, redirectStderr } from 'cgroup-utils-native';
import { type AdoptionInput, adoptProcess, type Boxed, type Loaders } from '../adopt/adopted-box.js';
import { ADOPT_HELP, type AdoptInput, type AdoptOptions, parseAdopt } from '../adopt/options.js';
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
}

/**
 * `proc_box adopt`: makes groups and sets limits, reports that the box is made, and supervises it.
 * @throws SpecError, EnvironmentError; the process then runs as before
 */
export function adopt(input: Adoptable): RunBundle.Run {
  const { keeper, hello } = input;
  const options = parseAdopt(hello.argv);
  if (options === null) return printAndExit(ADOPT_HELP);
  const files = openFiles(options);
  const own = ownProcess();
  const boxProcess: BoxProcess = {
    ...own,
    ended(exitStatus) {
      files.pid?.remove();
      own.ended(exitStatus, null);
    },
  };
  try {
    const boxed = adoptProcess({
      ...input,
      options,
      boxProcess,
      settings: hello.settings,
      failsOpen: hello.failsOpen,
      environment: process.env,
      caller: process.pid,
      ourPids: ourProcesses(keeper),
    });
    tellWhoWaits(options, boxed, files.log);
    return boxed.run;
  } catch (error) {
    files.pid?.remove();
    throw error;
  }
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
