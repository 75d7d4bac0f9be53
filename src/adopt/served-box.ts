import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Keeper, type KeeperEvent, Outlet } from 'cgroup-utils-native';
import { removeCgroup } from '../cgroup/remove.js';
import { isEnvironmentError, isSpecError, SpecError } from '../errors.js';
import { runHere } from '../kernel/run-task.js';
import { createLogger } from '../log.js';
import type { Files } from '../options/files.js';
import type * as NoticeBundle from '../supervise/notice.js';
import { lockedPidFile, openLog } from '../supervise/own-files.js';
import type * as RunBundle from '../supervise/run.js';
import { ourProcesses } from '../supervise/subject.js';
import { adoptProcess, type Loaders } from './adopted-box.js';
import { ADOPT_HELP, type AdoptInput, type AdoptOptions, parseAdopt } from './options.js';
import type { AdoptRequest } from './request.js';
import type { AdoptAnswer } from './request-server.js';

export interface Services extends Loaders, Pick<AdoptInput, 'files' | 'loadYaml'> {
  readonly newBoxId: () => string;
  readonly loadNotice: () => typeof NoticeBundle;
}

export interface ServedBox extends Services {
  readonly request: AdoptRequest;
  readonly answer: AdoptAnswer;
  readonly makeKeeper: (onEvent: (event: KeeperEvent) => void) => Keeper;
  /** Lets the keeper end. @param gone called when it has ended and has removed its groups */
  readonly finish: (keeper: Keeper, gone: () => void) => void;
  /** Called when nothing of this box is left in this process. */
  readonly ended: () => void;
}

/** Serves one request for a box. An error of this box does not affect the others. */
export function serveBox(served: ServedBox): void {
  const { request, answer, ended } = served;
  let run: RunBundle.Run | undefined;
  let keeper: Keeper | undefined;
  const fail = (error: unknown) => {
    if (keeper !== undefined) served.finish(keeper, () => {});
    ended();
    const { message } = error as Error;
    answer(
      125,
      lines('error', [isSpecError(error) || isEnvironmentError(error) ? message : `internal error: ${message}`]),
    );
    if (request.failsOpen) void tellUnboxed(served, message);
  };
  try {
    const options = parseAdopt(request.argv);
    if (options === null) {
      ended();
      return answer(0, ADOPT_HELP);
    }
    keeper = served.makeKeeper((event) => {
      if (run !== undefined) return run.onKeeper(event);
      if (event.type === 'mismatch')
        return fail(
          new Error('proc_box has been updated, but its supervisor is of the old version: restart the supervisor'),
        );
      if (event.type !== 'hello') return fail(new Error('the keeper has died before the box was made'));
      try {
        run = box(served, options, keeper as Keeper);
      } catch (error) {
        run = { onKeeper() {}, onSignal() {} };
        fail(error);
      }
      return undefined;
    });
  } catch (error) {
    fail(error);
  }
}

function box(served: ServedBox, options: AdoptOptions, keeper: Keeper): RunBundle.Run {
  const { request, answer, finish, ended } = served;
  // Names are relative to the client's working directory.
  const at = (path: string) => resolve(request.environment['PWD'] ?? '/', path);
  const { logFile, pidFile: pidPath } = options;
  const log = logFile === null ? null : new Outlet(openLog('--log-file', at(logFile)));
  const pidFile = pidPath === null ? null : lockedPidFile(at(pidPath));
  let there = true;
  const letGo = () => {
    if (there) finish(keeper, () => pidFile?.remove());
    there = false;
  };
  try {
    const { run, warnings, amongOthers } = adoptProcess({
      ...served,
      ...request,
      keeper,
      options,
      boxId: served.newBoxId(),
      caller: request.pid,
      ourPids: ourProcesses(keeper),
      files: plainFiles(served.files, at),
      deliverSignals() {},
      boxProcess: {
        write: (text) => log?.write(text),
        guard() {},
        started() {},
        bound() {},
        async stopGroup() {},
        removeGroups: (cgroup) => runHere(removeCgroup(cgroup)),
        finish: letGo,
        ended() {
          letGo();
          log?.close();
          ended();
        },
      },
    });
    if (!amongOthers) pidFile?.remove();
    answer(0, log === null ? lines('warn', warnings) : '');
    return run;
  } catch (error) {
    log?.close();
    pidFile?.remove();
    throw error;
  }
}

function lines(level: 'error' | 'warn', messages: readonly string[]): string {
  let text = '';
  const log = createLogger('warn', { write: (line) => (text += line) });
  for (const message of messages) log[level](message);
  return text;
}

/** Reads only regular files, since a FIFO or a terminal would block every box of this process. */
function plainFiles(files: Files, at: (path: string) => string): Files {
  return {
    ...files,
    read(path) {
      const named = at(path.replace(/^~(?=\/)/, process.env['HOME'] ?? '~'));
      if (mayHang(named)) throw new SpecError(`${path} is not a regular file`);
      return files.read(named);
    },
  };
}

function mayHang(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    return false; // reading the file will report why this failed
  }
}

/** Never rejects. */
async function tellUnboxed({ request, loadNotice, loadYaml }: ServedBox, why: string): Promise<void> {
  try {
    await loadNotice().tellUnboxed({ ...request, words: request.argv.slice(2), why, loadYaml });
  } catch {
    // A bundle is missing. The client already knows why there is no box.
  }
}
