import { readFileSync } from 'node:fs';
import { hostname, monotonicMs, userName } from 'cgroup-utils-native';
import { keepHeapSmall } from '../amqp/heap.js';
import { SpecError } from '../errors.js';
import type { Logger } from '../log.js';
import { createNodeLink, type NodeLink } from '../node-link/index.js';
import { counted } from '../options/amounts.js';
import type { SpecInput } from '../options/assemble.js';
import { guardProcess } from '../supervise/box-process.js';
import { Agent } from './agent.js';
import type { Host } from './hosting.js';
import { listen, takeOver } from './listen.js';
import type { AgentOptions } from './options.js';
import { type Service, serviceOf } from './service.js';
import { statusOfLink } from './status.js';
import { textfileOf, writeTextfile } from './textfile.js';
import { Turns } from './turns.js';

/** The life of an agent: from its socket to the signal that ends it. */

export interface AgentInput
  extends Omit<SpecInput, 'words' | 'command' | 'deadline'>,
    Pick<Host, 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile' | 'loadNotice'> {
  readonly argv: readonly string[];
  readonly debug: boolean;
  readonly version: string;
}

/** A descriptor for each box, and some for each user. */
const DESCRIPTORS = 16_384;
const STATUS_MS = 30_000;
/** The broker's code is loaded by then, which needs space for new objects. */
const LOADED_MS = 3_000;

/** Ends the agent in an orderly way. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** Would otherwise end the process, or open a debugger. */
const WITHOUT_EFFECT = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP', 'SIGPIPE'] as const;

/** @returns the exit status. @throws SpecError, EnvironmentError */
export async function serveUntilTold(options: AgentOptions, input: AgentInput, log: Logger): Promise<number> {
  const { socket, own, quotas } = options;
  if (process.geteuid?.() === 0 && !options.allowRoot && !own) {
    throw new SpecError(
      'the agent needs no privileges: run it as a system user of its own, as scripts/site/agent does (docs/agent.md), or with --allow-root',
    );
  }
  const told = untilTold();
  const service = serviceOf(process.env, process.ppid, log);
  const fd = await listener(service, options, log);
  guardProcess(log);
  tellDescriptors(log);
  const { spec } = options;
  const link = linkOf(options, input, log);
  const began = monotonicMs();
  const turns = new Turns();
  const agent = new Agent({
    fd,
    onlyUid: own ? (process.geteuid?.() ?? -1) : null,
    quotas,
    host: { ...input, spec, log, link, turns },
    status: () => ({
      version: input.version,
      pid: process.pid,
      uptime_ms: Math.round(monotonicMs() - began),
      memory_bytes: process.memoryUsage.rss(),
      ...statusOfLink(spec.uris.length === 0 ? null : link.status()),
    }),
    onTakeover: () => told.tell('another agent takes over'),
  });
  log.info(`the agent serves boxes at ${socket}`);
  // Many boxes at once would make V8 keep 48 MB for new objects from then on.
  setTimeout(() => keepHeapSmall(log), LOADED_MS).unref();
  const tell = (state: 'READY=1' | '') => service.notify(state, `Serves ${counted(agent.boxes, 'box', 'boxes')}`);
  tell('READY=1');
  const endTextfile = textfile(options, agent, link, log);
  const ticking = setInterval(() => tell(''), STATUS_MS);
  const why = await told.reason;
  clearInterval(ticking);
  endTextfile();
  service.notify('STOPPING=1', 'Lets its boxes go');
  log.info(`the agent ends: ${why}; boxes that go on without it: ${agent.boxes}`);
  turns.flush();
  await agent.close();
  await link.close(spec.flushMs);
  return 0;
}

/** @returns ends it */
function textfile({ textfile: path, spec }: AgentOptions, agent: Agent, link: NodeLink, log: Logger): () => void {
  if (path === undefined) return () => {};
  const text = () => {
    const { broker, outbox, dropped } = statusOfLink(spec.uris.length === 0 ? null : link.status());
    return textfileOf(agent.samples(), {
      boxes: agent.boxes,
      isBrokerUp: broker === null ? null : broker.statistics === 'up',
      outboxMessages: outbox?.messages ?? null,
      droppedMessages: dropped,
    });
  };
  return writeTextfile(path, text, log);
}

function linkOf({ spec, quotas }: AgentOptions, input: AgentInput, log: Logger): NodeLink {
  const { bytes: maxBytes, messagesPerSec } = quotas;
  const node = { host: hostname(), user: userName(), quotas: { maxBytes, messagesPerSec } };
  return createNodeLink({ ...spec, ...node, log, loadSigned: input.loadSigned, loadSpool: input.loadSpool });
}

/** systemd's socket stays when one agent follows another, so there is nothing to take over. */
function listener({ listener }: Service, options: AgentOptions, log: Logger): number | Promise<number> {
  if (listener !== null) return listener;
  return options.takeover ? takeOver(options, log) : listen(options);
}

/** From now on no signal ends this process by itself. */
function untilTold(): { readonly reason: Promise<string>; readonly tell: (why: string) => void } {
  let tell: (why: string) => void = () => {};
  const reason = new Promise<string>((resolve) => {
    tell = resolve;
  });
  for (const signal of ENDING) process.on(signal, () => tell(signal));
  for (const signal of WITHOUT_EFFECT) process.on(signal, () => {});
  return { reason, tell };
}

/** The front end has raised the soft limit to the hard one. */
function tellDescriptors(log: Logger): void {
  const [, limit = 'unlimited'] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  if (!(Number(limit) < DESCRIPTORS)) return;
  log.warn(
    `this agent may have ${limit} open files, and so not many more than ${Math.max(0, Number(limit) - 64)} boxes: raise the limit to ${DESCRIPTORS} or more (LimitNOFILE=)`,
  );
}
