import type { KeeperEvent } from 'cgroup-utils-native';
import { variables } from '../adopt/main-process.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import type { ResourceControl } from '../box/resource-control.js';
import type { BoxCgroup } from '../cgroup/types.js';
import { describeError, isEnvironmentError, isSpecError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import type { TaskRunner } from '../kernel/task.js';
import { type Assembled, assembleSpec, type SpecInput } from '../options/assemble.js';
import type { BoxSpec } from '../options/spec.js';
import { splitWords } from '../options/split-words.js';
import type { OptionName } from '../options/table.js';
import { jobDeadline } from '../scheduler/deadline.js';
import { newBoxId } from '../supervise/box-id.js';
import type { BoxProcess } from '../supervise/box-process.js';
import { areTold, fallbacks } from '../supervise/fallbacks.js';
import { prepareResources, type ResourceInput } from '../supervise/resources.js';
import { run } from '../supervise/run.js';
import { tryInKeeper, withinAllowed } from '../supervise/within-allowed.js';
import { answered } from './answered.js';
import { hostedJob } from './hosted-job.js';
import { expiry, type Host, type HostedBox, Hosting, type Resumed, type Told } from './hosting.js';
import { withNamedFiles } from './named-files.js';
import { recorded } from './recorded.js';
import { parseSaved, type SavedHosting } from './saving.js';

/** Options of a box with a link to the broker of its own. */
export const OWN_LINK: readonly OptionName[] = [
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

/** Wires one box of the node whose job is launched. */
export function hostBox(host: Host, told: Told, onEnded: () => void): HostedBox {
  const hosting = new Launch(host, told, onEnded);
  hosting.beginInTurn();
  return hosting;
}

class Launch extends Hosting {
  readonly #environment = variables(this.told.origin.environment);

  /** Starts the job, or goes on with one. An error of one box is told at that box, and does not affect the others. */
  async begin(): Promise<void> {
    const { hello, keeper, resumed } = this.told;
    const input = {
      ...splitWords(hello.argv, hello.commandIndex),
      settings: hello.settings,
      deadline: jobDeadline(this.#environment, Date.now()),
      loadYaml: this.host.loadYaml,
      without: OWN_LINK,
    };
    let assembled: Assembled | undefined;
    try {
      assembled = await withNamedFiles(keeper, this.owner.uid, (files) => assembleSpec({ ...input, files }));
      await (resumed === null ? this.#launch(assembled, hello.commandIndex) : this.#resume(assembled, resumed));
    } catch (error) {
      if (resumed !== null) return this.leave(error);
      const why = describeError(error, hello.debug);
      if (this.run !== undefined || !hello.failsOpen) return this.#fail(why);
      if (!(await this.#launchInstead({ ...input, files: this.host.files }, error, assembled))) this.#fail(why);
    }
  }

  /** `--failure open`: with less of the box, or none. @returns false if nothing can be had */
  async #launchInstead(
    input: Omit<SpecInput, 'locks'>,
    error: unknown,
    assembled: Assembled | undefined,
  ): Promise<boolean> {
    const { argv, commandIndex, fallbackIndex, debug } = this.told.hello;
    const index = areTold(input.words) ? commandIndex : fallbackIndex;
    if (index >= argv.length) return false;
    const known = { ...input, ...splitWords(argv, index) };
    for (const { spec, warnings, says, kind } of fallbacks(known, error as Error, assembled?.spec ?? null)) {
      try {
        this.say('error', `${describeError(error, debug)}; ${says} (--failure open)`);
        await this.#launch({ spec, warnings }, index);
        if (kind !== 'box') this.tellUnboxed(describeError(error, debug), this.#environment, spec);
        return true;
      } catch (again) {
        if (!(isSpecError(again) || isEnvironmentError(again))) throw again;
      }
    }
    return false;
  }

  async #launch(assembled: Assembled, commandIndex: number): Promise<void> {
    const { keeper, hello, origin } = this.told;
    const allowed = await tryInKeeper(keeper, withinAllowed(assembled, hello.stdoutMode));
    const parts = this.#parts(allowed, newBoxId());
    this.groups.length = 0;
    const made = await runInKeeper(keeper, answered(recorded(prepareResources(parts), this.groups), origin));
    const { argv0, rlimits, stdoutMaxBytes } = parts.spec;
    keeper.start({ commandIndex, argv0, rlimits, stdoutMaxBytes, cgroup: made.cgroup });
    this.#supervise(allowed, parts, made);
  }

  /** Goes on with a box that another agent has begun: makes the same objects as that one had, and nothing in the kernel. */
  async #resume(assembled: Assembled, resumed: Resumed): Promise<void> {
    const { box, commands, groups } = parseSaved(resumed.kept);
    const { pid, startedMs: atMs, expiredMs } = resumed;
    const parts = { ...this.#parts(assembled, box.boxId), isMade: true };
    const made = this.replayed(prepareResources(parts), groups);
    if (box.pid === 0) {
      // The agent before was lost while the job started, and nobody has been told of the box.
      this.#supervise(assembled, parts, made, undefined, [{ type: 'started', pid, atMs }, ...expiry(resumed)]);
    } else if (box.pid === pid) {
      this.#supervise(assembled, parts, made, { box, commands, expiredMs });
    } else throw new Error('the saved state is of another job');
  }

  #parts(assembled: Assembled, boxId: string): ResourceInput {
    const { keeper, hello, origin } = this.told;
    const run: TaskRunner = (task) => runInKeeper(keeper, task);
    const subject = hostedJob(keeper, origin, this.#environment, this.owner.user, this.told.peer);
    const spec = ofAgent(assembled.spec, this.host.spec, hello.argv, origin.words);
    return { spec, boxId, keeper, subject, box: () => this.box, run };
  }

  #supervise(
    { warnings }: Assembled,
    { spec, subject, boxId }: ResourceInput,
    { cgroup, control }: { cgroup: BoxCgroup; control: ResourceControl },
    saved?: Pick<SavedHosting, 'box' | 'commands'> & Pick<Resumed, 'expiredMs'>,
    first?: readonly KeeperEvent[],
  ): void {
    const { keeper, hello } = this.told;
    this.rule(spec);
    const saving = this.save(saved?.commands);
    const { link, loadAmqp, time } = this.linked(saving);
    const running = run({
      ...this.host,
      ...(spec.uris.length > 0 && { attach: (box: Box) => link(box, spec) }),
      loadAmqp,
      time,
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
    this.supervised(running, first);
  }

  /** The front end of this box, as its box sees it. */
  #process(): BoxProcess {
    const { keeper } = this.told;
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
        this.outcome(exitStatus, signal);
        this.end();
      },
    };
  }

  #fail(why: string): void {
    this.say('error', why);
    this.outcome(EXIT.failed);
    this.end();
  }
}

/** The box keeps its own keys, interval and limits. The broker and what protects it are the agent's. */
export function ofAgent(spec: BoxSpec, agent: BoxSpec, argv: readonly string[], words: number): BoxSpec {
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
