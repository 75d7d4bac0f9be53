import { existsSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  exitNow,
  Keeper,
  launchKeeper,
  monotonicMs,
  reapChild,
  redirectStderr,
  watchSignals,
} from 'cgroup-utils-native';
import { createLogger } from '../log.js';
import { readVerb, type Verb } from '../options/verb-words.js';
import { guardProcess } from '../supervise/box-process.js';
import { openLog } from '../supervise/own-files.js';
import type { AdoptRequest } from './request.js';
import { type AdoptAnswer, receive } from './request-server.js';
import { type Services, serveBox } from './served-box.js';

/**
 * `proc_box adopt --serve <socket>`: one process that supervises the boxes of all clients which ask for one with
 * `--via`. The permissions of the socket's folder decide who can connect; the folder must belong to this user alone.
 */
export interface Serving extends Services {
  readonly argv: readonly string[];
  /** bin/proc_box, which is front end and keeper. */
  readonly executable: string;
}

/** The front end listens on it before it starts Node; also in native/src/front/node.cc. */
const LISTENING_FD = 6;
const SIGTERM = 15;
/** Time that a box takes at most. A client that waits for less could give up, and make a second box beside ours. */
const ANSWER_MS = 5_000;
const BOXES_MAX = 1024;
/** How often to check whether the socket's folder still exists. */
const LOOK_MS = 5_000;

export function serve(serving: Serving): void {
  const { socket, logFile } = parseServe(serving.argv);
  if (logFile !== null) redirectStderr(openLog('--log-file', logFile));
  const log = createLogger('info');
  guardProcess(log);
  const supervisor = createSupervisor(serving);
  const close = receive(LISTENING_FD, log, (request, answer) => supervisor.take(request, answer));
  const end = () => {
    close();
    rmSync(socket, { force: true });
    supervisor.endWhenEmpty();
  };
  watchSignals(({ signal }) => {
    if (signal === SIGTERM) end();
  });
  setInterval(() => {
    if (!existsSync(dirname(socket))) end();
  }, LOOK_MS).unref();
  // Loaded now, so that the first client does not wait for it.
  setImmediate(() => serving.loadRun());
}

/** Counts the boxes of this process, and reaps their keepers, which are its children. */
function createSupervisor(serving: Serving) {
  const boxes = new Set<number>();
  const leaving = new Map<Keeper, () => void>();
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  let count = 0;
  let ending = false;
  const endIfEmpty = () => {
    if (ending && boxes.size === 0 && leaving.size === 0) exitNow(0);
  };
  const reap = () => {
    for (const [keeper, gone] of leaving) {
      if (!reapChild(keeper.pid)) continue;
      leaving.delete(keeper);
      gone();
    }
    endIfEmpty();
  };
  process.on('SIGCHLD', reap);
  return {
    take(request: AdoptRequest, answer: AdoptAnswer): boolean {
      if (ending || boxes.size >= BOXES_MAX || monotonicMs() > request.untilMs - ANSWER_MS) return false;
      const id = ++count;
      boxes.add(id);
      serveBox({
        ...serving,
        request,
        answer,
        makeKeeper: (onEvent) => new Keeper(launchKeeper(serving.executable, [], environment), onEvent),
        finish(keeper, gone) {
          // A keeper that died before its hello has no pid.
          if (keeper.pid > 0) leaving.set(keeper, gone);
          keeper.close();
          reap();
        },
        ended() {
          boxes.delete(id);
          endIfEmpty();
        },
      });
      return true;
    },
    endWhenEmpty() {
      ending = true;
      endIfEmpty();
    },
  };
}

const SERVE: Verb<'serve' | 'log-file'> = {
  name: 'proc_box adopt --serve',
  own: { serve: { placeholder: 'socket' }, 'log-file': { placeholder: 'path' } },
  ofBox: [],
  ends: 'with the words',
};

/** Resolves names against the working directory, and then leaves it, so that it can be unmounted. */
function parseServe(argv: readonly string[]): { socket: string; logFile: string | null } {
  const { own } = readVerb(argv.slice(2), SERVE);
  const logFile = own.get('log-file');
  const paths = { socket: resolve(own.get('serve') ?? ''), logFile: logFile === undefined ? null : resolve(logFile) };
  process.chdir('/');
  return paths;
}
