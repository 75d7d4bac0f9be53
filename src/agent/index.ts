import { hostname, listenUnix, monotonicMs, SuspensionWatch, userName } from 'cgroup-utils-native';
import { keepHeapSmall } from '../amqp/heap.js';
import { EXIT } from '../box/outcome.js';
import { describeError, EnvironmentError, SpecError } from '../errors.js';
import { createLogger, type Logger } from '../log.js';
import { createNodeLink } from '../node-link/index.js';
import type { SpecInput } from '../options/assemble.js';
import { print } from '../print.js';
import { guardProcess } from '../supervise/box-process.js';
import { Agent } from './agent.js';
import type { Host } from './hosted-box.js';
import { AGENT_HELP, type AgentOptions, parseAgent } from './options.js';
import { printStatus } from './status.js';
import { Turns } from './turns.js';

/** Entry point of the bundle with the agent: `proc_box agent`. */

export interface AgentInput
  extends Omit<SpecInput, 'words' | 'command' | 'deadline'>,
    Pick<Host, 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile' | 'loadNotice'> {
  readonly argv: readonly string[];
  readonly debug: boolean;
  readonly version: string;
}

/** Never rejects. @returns the exit status */
export async function runAgent(input: AgentInput): Promise<number> {
  const log = createLogger(input.debug ? 'debug' : 'info');
  try {
    const options = parseAgent(input.argv, input, process.env);
    if (options === null) return print(AGENT_HELP);
    for (const warning of options.warnings) log.warn(warning);
    return await (options.verb === 'status' ? printStatus(options) : serveUntilTold(options, input, log));
  } catch (error) {
    log.error(describeError(error, input.debug));
    return EXIT.failed;
  }
}

/** The broker's code is loaded by then, which needs space for new objects. */
const LOADED_MS = 3_000;

/** @throws SpecError, EnvironmentError */
function serveUntilTold(options: AgentOptions, input: AgentInput, log: Logger): Promise<number> {
  const { spec, socket, own, quotas } = options;
  if (process.geteuid?.() === 0 && !options.allowRoot && !own) {
    throw new SpecError(
      'the agent needs no privileges: run it as a system user of its own (docs/agent.md), or with --allow-root',
    );
  }
  const fd = listen(socket, !own);
  guardProcess(log);
  const began = monotonicMs();
  const { bytes: maxBytes, messagesPerSec } = quotas;
  const node = { host: hostname(), user: userName(), quotas: { maxBytes, messagesPerSec } };
  const link = createNodeLink({ ...spec, ...node, log, loadSigned: input.loadSigned, loadSpool: input.loadSpool });
  const host: Host = {
    ...input,
    spec,
    log,
    link,
    turns: new Turns(),
  };
  const agent = new Agent({
    fd,
    onlyUid: own ? (process.geteuid?.() ?? -1) : null,
    quotas,
    host,
    status: () => ({
      version: input.version,
      pid: process.pid,
      uptime_ms: Math.round(monotonicMs() - began),
      memory_bytes: process.memoryUsage.rss(),
      broker: link.status(),
    }),
    onEmpty() {},
  });
  // The boxes' watches share a thread, which would otherwise be started and ended with each box.
  const watch = new SuspensionWatch(() => {});
  // Many boxes at once would make V8 keep 48 MB for new objects from then on.
  setTimeout(() => keepHeapSmall(log), LOADED_MS).unref();
  log.info(`the agent serves boxes at ${socket}`);
  return new Promise((resolve) => {
    const end = () => {
      watch.close();
      agent.close();
      void link.close(spec.flushMs).then(() => resolve(0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
  });
}

const FOLDER: Readonly<Record<string, string>> = {
  'open to others': 'others may write in its folder: make it one with mode 0755 (or 0700 with --user)',
  'not ours': 'its folder belongs to another user: make one for the user of the agent',
};

function listen(socket: string, shown: boolean): number {
  try {
    return listenUnix(socket, shown);
  } catch (error) {
    const { code = '', folder = '' } = error as NodeJS.ErrnoException & { folder?: string };
    const why =
      FOLDER[folder] ??
      (code === 'EADDRINUSE'
        ? 'another agent listens there; --takeover takes its place'
        : code === 'ENOENT'
          ? 'its folder does not exist'
          : code);
    throw new EnvironmentError(`--socket ${socket}: ${why}`, { cause: error });
  }
}
