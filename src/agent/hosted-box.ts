import { type Keeper, type KeeperEvent, type Peer, type SignalDelivery, userName } from 'cgroup-utils-native';
import type { BrokerLink } from '../amqp/index.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { describeError, isEnvironmentError, isSpecError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import type { TaskRunner } from '../kernel/task.js';
import { createLogger, type Logger } from '../log.js';
import type { NodeLink, Owner } from '../node-link/index.js';
import { type Assembled, assembleSpec, type SpecInput } from '../options/assemble.js';
import type { BoxSpec } from '../options/spec.js';
import type { OptionName } from '../options/table.js';
import { jobDeadline } from '../scheduler/deadline.js';
import { newBoxId } from '../supervise/box-id.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { areTold, fallbacks } from '../supervise/fallbacks.js';
import type * as NoticeBundle from '../supervise/notice.js';
import { prepareResources, type ResourceInput } from '../supervise/resources.js';
import { type Run, type RunOptions, run } from '../supervise/run.js';
import { tryInKeeper, withinAllowed } from '../supervise/within-allowed.js';
import { hostedJob } from './hosted-job.js';
import { withNamedFiles } from './named-files.js';
import { type Recording, recorded, replay } from './recorded.js';
import { parseSaved, type SavedHosting, Saving } from './saving.js';

type Hello = Extract<KeeperEvent, { type: 'hello' }>;
type Origin = Extract<KeeperEvent, { type: 'origin' }>;
export type Resumed = Extract<KeeperEvent, { type: 'resumed' }>;

/** Options of a box with a link to the broker of its own. */
const OWN_LINK: readonly OptionName[] = [
  'uri-file',
  'tls-ca',
  'tls-cert',
  'tls-key',
  'rascal-config',
  'msgtimeout',
  'outbox-messages',
  'outbox-bytes',
  'spool-dir',
  'spool-max-bytes',
  'spool-max-age',
  'reply-exchange',
  'control-auth',
  'control-rules',
  'control-keys',
  'audit-log',
];

/** What the agent gives each box. */
export interface Host
  extends Pick<RunOptions, 'loadSigned' | 'loadSpool' | 'loadSlurm' | 'loadLaunchFailure' | 'loadReportFile'>,
    Pick<SpecInput, 'files' | 'loadYaml'> {
  /** The agent's own options: its broker is that of every box. */
  readonly spec: BoxSpec;
  readonly log: Logger;
  readonly loadNotice: () => typeof NoticeBundle;
  readonly link: NodeLink;
}

export interface HostedBox {
  readonly box: Box | undefined;
  onKeeper(event: KeeperEvent): void;
}

/** What a keeper has told of its box. */
export interface Told {
  readonly keeper: Keeper;
  readonly hello: Hello;
  readonly origin: Origin;
  /** Null: the box begins. */
  readonly resumed: Resumed | null;
  /** The process at the other end, whose user the kernel vouches for. */
  readonly peer: Pick<Peer, 'pid' | 'uid'>;
}

/** Wires one box of the node: its keeper is the connection, and its front end hears of the outcome through the keeper. */
export function hostBox(host: Host, told: Told, onEnded: () => void): HostedBox {
  const hosting = new Hosting(host, told, onEnded);
  void hosting.begin();
  return hosting;
}

class Hosting implements HostedBox {
  box: Box | undefined;
  readonly #told: Told;
  readonly #owner: Owner;
  readonly #environment: Readonly<Record<string, string>>;
  #run: Run | undefined;
  /** Signals that have come before the job was started. */
  #early: SignalDelivery[] = [];
  #saving: Saving | undefined;
  #over = false;

  constructor(
    readonly host: Host,
    told: Told,
    readonly onEnded: () => void,
  ) {
    this.#told = told;
    this.#owner = { uid: told.peer.uid, user: userName(told.peer.uid) };
    this.#environment = entries(told.origin.environment);
  }

  /** Starts the job, or goes on with one. An error of one box is told at that box, and does not affect the others. */
  async begin(): Promise<void> {
    const { hello, keeper, resumed } = this.#told;
    const input = {
      ...split(hello.argv, hello.commandIndex),
      settings: hello.settings,
      deadline: jobDeadline(this.#environment, Date.now()),
      loadYaml: this.host.loadYaml,
      without: OWN_LINK,
    };
    let assembled: Assembled | undefined;
    try {
      assembled = await withNamedFiles(keeper, this.#owner.uid, (files) => assembleSpec({ ...input, files }));
      await (resumed === null ? this.#launch(assembled, hello.commandIndex) : this.#resume(assembled, resumed));
    } catch (error) {
      if (resumed !== null) return this.#leave(error);
      const why = describeError(error, hello.debug);
      if (this.#run !== undefined || !hello.failsOpen) return this.#fail(why);
      if (!(await this.#launchInstead({ ...input, files: this.host.files }, error, assembled))) this.#fail(why);
    }
  }

  onKeeper(event: KeeperEvent): void {
    if (event.type === 'delivery') {
      if (this.#run === undefined) this.#early.push(event);
      else this.#run.onSignal(event);
      this.#told.keeper.toFront({ type: 'heard' });
      return;
    }
    this.#run?.onKeeper(event);
    if (event.type === 'gone') this.#end();
  }

  /** `--failure open`: with less of the box, or none. @returns false if nothing can be had */
  async #launchInstead(
    input: Omit<SpecInput, 'locks'>,
    error: unknown,
    assembled: Assembled | undefined,
  ): Promise<boolean> {
    const { argv, commandIndex, fallbackIndex, debug } = this.#told.hello;
    const index = areTold(input.words) ? commandIndex : fallbackIndex;
    if (index >= argv.length) return false;
    const known = { ...input, ...split(argv, index) };
    for (const { spec, warnings, says, kind } of fallbacks(known, error as Error, assembled?.spec ?? null)) {
      try {
        this.#say('error', `${describeError(error, debug)}; ${says} (--failure open)`);
        await this.#launch({ spec, warnings }, index);
        if (kind !== 'box') this.#tellUnboxed(spec, describeError(error, debug));
        return true;
      } catch (again) {
        if (!(isSpecError(again) || isEnvironmentError(again))) throw again;
      }
    }
    return false;
  }

  /** Publishes the event `unboxed`, while the job already runs. */
  #tellUnboxed(box: BoxSpec, why: string): void {
    const { host } = this;
    const spec = { ...box, uris: host.spec.uris, rascalConfig: host.spec.rascalConfig };
    const notice = { words: [], settings: [], environment: this.#environment, why, loadYaml: host.loadYaml };
    void host.loadNotice().tellUnboxed({ ...notice, spec, user: this.#owner.user });
  }

  async #launch(assembled: Assembled, commandIndex: number): Promise<void> {
    const { keeper, hello } = this.#told;
    const allowed = await tryInKeeper(keeper, withinAllowed(assembled, hello.stdoutMode));
    const parts = this.#parts(allowed, newBoxId());
    const groups: Recording[number][] = [];
    const made = await runInKeeper(keeper, recorded(prepareResources(parts), groups));
    const { argv0, rlimits, stdoutMaxBytes } = parts.spec;
    keeper.start({ commandIndex, argv0, rlimits, stdoutMaxBytes, cgroup: made.cgroup });
    this.#supervise(allowed, parts, made, groups);
  }

  /** Goes on with a box that another agent has begun: makes the same objects as that one had, and nothing in the kernel. */
  async #resume(assembled: Assembled, resumed: Resumed): Promise<void> {
    const { box, commands, groups } = parseSaved(resumed.kept);
    const { pid, startedMs: atMs, expiredMs } = resumed;
    const parts = this.#parts(assembled, box.boxId);
    const made = replay(prepareResources(parts), groups);
    if (box.pid === 0) {
      // The agent before was lost while the job started, and nobody has been told of the box.
      this.#supervise(assembled, parts, made, groups);
      this.#run?.onKeeper({ type: 'started', pid, atMs });
      if (expiredMs !== null) this.#run?.onKeeper({ type: 'expired', atMs: expiredMs });
    } else if (box.pid === pid) {
      this.#supervise(assembled, parts, made, groups, { box, commands, expiredMs });
    } else throw new Error('the saved state is of another job');
  }

  #parts(assembled: Assembled, boxId: string): ResourceInput {
    const { keeper, hello, origin } = this.#told;
    const run: TaskRunner = (task) => runInKeeper(keeper, task);
    const subject = hostedJob(keeper, origin, this.#environment, this.#owner.user, this.#told.peer);
    const spec = ofAgent(assembled.spec, this.host.spec, hello.argv, origin.words);
    return { spec, boxId, keeper, subject, box: () => this.box, run };
  }

  #supervise(
    { warnings }: Assembled,
    { spec, subject, boxId }: ResourceInput,
    { cgroup, control }: { cgroup: BoxCgroup; control: ResourceControl },
    groups: Recording,
    saved?: Pick<SavedHosting, 'box' | 'commands'> & Pick<Resumed, 'expiredMs'>,
  ): void {
    const { keeper, hello } = this.#told;
    const { endSignal, graceMs, linger, reraise } = spec;
    keeper.toFront({ type: 'rules', first: endSignal, second: (linger ? 1 : 0) | (reraise ? 2 : 0), ms: graceMs });
    const saving = new Saving(keeper, groups, () => this.box, saved?.commands);
    this.#saving = saving;
    this.#run = run({
      ...this.host,
      ...(spec.uris.length > 0 && { attach: (box: Box) => this.#attach(box, spec, saving) }),
      loadAmqp: noLinkOfItsOwn,
      spec,
      warnings,
      keeper,
      hello,
      subject,
      boxId,
      cgroup,
      resources: control,
      saved: saved?.box,
      expiredMs: saved?.expiredMs,
      onChanged: saving.changed,
      deliverSignals() {},
      boxProcess: this.#process(),
      onBox: (box) => {
        this.box = box;
      },
    });
    if (saved === undefined) saving.changed('now');
    for (const delivery of this.#early.splice(0)) this.#run.onSignal(delivery);
  }

  /** The box ends without waiting for the broker: the node's link goes on delivering its messages. */
  #attach(box: Box, spec: BoxSpec, saving: Saving): BrokerLink {
    const link = this.host.link.attach(box, spec, this.#owner, saving.commands);
    return {
      publish: (message) => link.publish(message),
      audit: (event) => link.audit(event),
      state: () => link.state(),
      get dropped() {
        return link.dropped;
      },
      async close() {
        void link.close(0);
        return { undelivered: 0, spooled: null, given: 'time' };
      },
    };
  }

  /** The front end of this box, as its box sees it. */
  #process(): BoxProcess {
    const { keeper } = this.#told;
    return {
      write: (text) => keeper.toFront({ type: 'say', text }),
      guard() {},
      started: (flushMs) => keeper.toFront({ type: 'flush', ms: flushMs }),
      bound: (ms) => keeper.toFront({ type: 'bound', ms }),
      stopGroup: async (_, signal) => keeper.toFront({ type: 'stop_group', first: signal }),
      // Its guard or front end does.
      removeGroups() {},
      finish() {},
      ended: (exitStatus, signal) => {
        keeper.toFront({ type: 'outcome', first: exitStatus, second: signal ?? 0 });
        this.#end();
      },
    };
  }

  #fail(why: string): void {
    this.#say('error', why);
    this.#told.keeper.toFront({ type: 'outcome', first: EXIT.failed, second: 0 });
    this.#end();
  }

  /** The box cannot be gone on with: its keeper and front end do what is due until its end. */
  #leave(error: unknown): void {
    const why = describeError(error, this.#told.hello.debug);
    this.#say('warn', `the agent cannot go on with this box, and its statistics end: ${why}`);
    this.host.log.warn(`a box of ${this.#owner.user} cannot be gone on with: ${why}`);
    this.#told.keeper.leave();
    this.#end();
  }

  #say(level: 'error' | 'warn', message: string): void {
    const write = (text: string) => this.#told.keeper.toFront({ type: 'say', text });
    createLogger('warn', { write })[level](message);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#saving?.end();
    this.#told.keeper.close();
    this.onEnded();
  }
}

/** The box keeps its own keys, interval and limits. The broker and what protects it are the agent's. */
function ofAgent(spec: BoxSpec, agent: BoxSpec, argv: readonly string[], words: number): BoxSpec {
  const { uris, replyExchange, rascalConfig, controlAuth, controlRules, controlKeys } = agent;
  return {
    ...spec,
    uris: spec.uris.length === 0 ? [] : uris,
    uriAsked: true,
    replyExchange,
    rascalConfig,
    controlAuth,
    controlRules,
    controlKeys,
    auditLog: undefined,
    spoolDir: undefined,
    argumentCount: Math.max(spec.argumentCount, words - argv.length + spec.command.length - 1),
  };
}

function noLinkOfItsOwn(): never {
  throw new Error('a box with an agent has no link of its own');
}

function entries(environment: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    environment
      .filter((entry) => entry.includes('='))
      .map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
  );
}

/** Splits argv into the options, without the `--` that ends them, and the command. */
export function split(
  argv: readonly string[],
  index: number,
): { words: readonly string[]; command: readonly string[] } {
  const end = index > 1 && argv[index - 1] === '--' ? index - 1 : index;
  return { words: argv.slice(1, end), command: argv.slice(index) };
}
