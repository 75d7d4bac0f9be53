import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { exitNow, lockFile, redirectStderr } from 'cgroup-utils-native';
import { fsPath } from '../bytes.js';
import { createLogger } from '../log.js';
import { ADOPT_HELP, type AdoptInput, type AdoptOptions, parseAdopt } from './adopt-options.js';
import { type Adoption, type Boxed, boxProcess, type Loaders } from './adopted-box.js';
import { type Host, ownProcess } from './host.js';
import type * as RunBundle from './run.js';

/** Whoever started us with `--detach` waits for one byte here; native/src/front.cc knows it too. */
const WORD_FD = 4;

export interface Adoptable
  extends Loaders,
    Omit<AdoptInput, 'settings'>,
    Pick<Adoption, 'keeper' | 'boxId' | 'deliverSignals'> {
  readonly hello: { readonly argv: readonly string[]; readonly settings: readonly string[] };
}

/**
 * `proc_box adopt`: groups and limits at once, then the word that it is done, then supervision.
 * @throws SpecError, EnvironmentError; the process then runs as before
 */
export function adopt(input: Adoptable): RunBundle.Run {
  const { keeper, hello } = input;
  const options = parseAdopt(hello.argv);
  if (options === null) {
    writeSync(1, ADOPT_HELP);
    return exitNow(0);
  }
  const own = ownProcess();
  const host: Host = {
    ...own,
    ended(exitStatus) {
      if (options.pidFile !== null) rmSync(options.pidFile, { force: true });
      own.ended(exitStatus, null);
    },
  };
  const boxed = boxProcess({
    ...input,
    options,
    host,
    settings: hello.settings,
    environment: process.env,
    caller: process.pid,
    ourPids: [process.pid, ...keeper.pids],
  });
  tellWhoWaits(options, boxed);
  return boxed.run;
}

/** The box is made: whoever waits goes on, and we are nobody's output any more. The warnings are for who reads no log. */
function tellWhoWaits({ detach, logFile, pidFile }: AdoptOptions, { warnings }: Boxed): void {
  if (pidFile !== null) writePid(pidFile);
  if (logFile !== null) redirectStderr(logFile);
  if (!detach) return;
  const log = createLogger('warn');
  if (logFile === null) for (const warning of warnings) log.warn(warning);
  writeSync(WORD_FD, '\0');
  closeSync(WORD_FD);
  if (logFile === null) redirectStderr('/dev/null');
}

/** Locked as long as this process lives: flock(1) waits for its end, however that comes. */
function writePid(path: string): void {
  const fd = openSync(fsPath(path), 'w');
  lockFile(fd);
  writeSync(fd, `${process.pid}\n`);
}
