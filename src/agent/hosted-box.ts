import { type Keeper, type KeeperEvent, userName } from 'cgroup-utils-native';
import type * as Amqp from '../amqp/index.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { describeError, isEnvironmentError, isSpecError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import type { TaskRunner } from '../kernel/task.js';
import { createLogger, type Logger } from '../log.js';
import { type Assembled, assembleSpec, type SpecInput } from '../options/assemble.js';
import type { BoxSpec } from '../options/spec.js';
import type { OptionName } from '../options/table.js';
import { jobDeadline } from '../scheduler/deadline.js';
import { newBoxId } from '../supervise/box-id.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { areTold, fallbacks } from '../supervise/fallbacks.js';
import { prepareResources } from '../supervise/resources.js';
import { type Run, type RunOptions, run } from '../supervise/run.js';
import { hostedJob } from './hosted-job.js';
import { withNamedFiles } from './named-files.js';

type Hello = Extract<KeeperEvent, { type: 'hello' }>;
type Origin = Extract<KeeperEvent, { type: 'origin' }>;

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
  readonly connect: (box: Box, spec: BoxSpec, owner: Owner) => Amqp.BrokerLink;
}

/** The user at the other end, whom the kernel vouches for. */
export interface Owner {
  readonly uid: number;
  readonly user: string;
}

export interface HostedBox {
  readonly box: Box | undefined;
  onKeeper(event: KeeperEvent): void;
}

/** Wires one box of the node: its keeper is the connection, and its front end hears of the outcome through the keeper. */
export function hostBox(
  host: Host,
  keeper: Keeper,
  hello: Hello,
  origin: Origin,
  uid: number,
  onEnded: () => void,
): HostedBox {
  const hosting = new Hosting(host, keeper, hello, origin, uid, onEnded);
  void hosting.begin();
  return hosting;
}

class Hosting implements HostedBox {
  box: Box | undefined;
  #run: Run | undefined;
  #over = false;
  readonly #owner: Owner;

  constructor(
    readonly host: Host,
    readonly keeper: Keeper,
    readonly hello: Hello,
    readonly origin: Origin,
    uid: number,
    readonly onEnded: () => void,
  ) {
    this.#owner = { uid, user: userName(uid) };
  }

  /** Starts the job. An error of one box is told at that box, and does not affect the others. Never rejects. */
  async begin(): Promise<void> {
    const environment = entries(this.origin.environment);
    const { hello, host, keeper } = this;
    const input = {
      ...split(hello.argv, hello.commandIndex),
      settings: hello.settings,
      deadline: jobDeadline(environment, Date.now()),
      loadYaml: host.loadYaml,
      without: OWN_LINK,
    };
    let assembled: Assembled | undefined;
    try {
      assembled = await withNamedFiles(keeper, this.#owner.uid, (files) => assembleSpec({ ...input, files }));
      await this.#launch(assembled, hello.commandIndex, environment);
    } catch (error) {
      const why = describeError(error, hello.debug);
      if (this.#run !== undefined || !hello.failsOpen) return this.#fail(why);
      if (!(await this.#launchInstead({ ...input, files: host.files }, error, assembled, environment))) this.#fail(why);
    }
  }

  onKeeper(event: KeeperEvent): void {
    if (event.type === 'delivery') {
      this.#run?.onSignal(event);
      this.keeper.toFront({ type: 'heard' });
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
    environment: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const { argv, commandIndex, fallbackIndex } = this.hello;
    const index = areTold(input.words) ? commandIndex : fallbackIndex;
    if (index >= argv.length) return false;
    const known = { ...input, ...split(argv, index) };
    for (const { spec, warnings, says } of fallbacks(known, error as Error, assembled?.spec ?? null)) {
      try {
        this.#say('error', `${describeError(error, this.hello.debug)}; ${says} (--failure open)`);
        await this.#launch({ spec, warnings }, index, environment);
        return true;
      } catch (again) {
        if (!(isSpecError(again) || isEnvironmentError(again))) throw again;
      }
    }
    return false;
  }

  async #launch(
    assembled: Assembled,
    commandIndex: number,
    environment: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { keeper, host, hello, origin } = this;
    const spec = ofAgent(assembled.spec, host.spec, hello.argv, origin.words);
    const boxId = newBoxId();
    const subject = hostedJob(keeper, origin, environment, this.#owner.user);
    const inKeeper: TaskRunner = (task) => runInKeeper(keeper, task);
    const resources = { spec, boxId, keeper, subject, box: () => this.box, run: inKeeper };
    const { cgroup, control } = await inKeeper(prepareResources(resources));
    const { argv0, rlimits, stdoutMaxBytes, endSignal, graceMs, linger, reraise } = spec;
    keeper.toFront({ type: 'rules', first: endSignal, second: (linger ? 1 : 0) | (reraise ? 2 : 0), ms: graceMs });
    keeper.start({ commandIndex, argv0, rlimits, stdoutMaxBytes, cgroup });
    this.#run = run({
      ...host,
      loadAmqp: () => ({ connectBroker: (_, box) => host.connect(box as Box, spec, this.#owner) }),
      spec,
      warnings: assembled.warnings,
      keeper,
      hello,
      subject,
      boxId,
      cgroup,
      resources: control,
      deliverSignals() {},
      boxProcess: this.#process(),
      onBox: (box) => {
        this.box = box;
      },
    });
  }

  /** The front end of this box, as its box sees it. */
  #process(): BoxProcess {
    const { keeper } = this;
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
    this.keeper.toFront({ type: 'outcome', first: EXIT.failed, second: 0 });
    this.#end();
  }

  #say(level: 'error' | 'warn', message: string): void {
    createLogger('warn', { write: (text) => this.keeper.toFront({ type: 'say', text }) })[level](message);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.keeper.close();
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
