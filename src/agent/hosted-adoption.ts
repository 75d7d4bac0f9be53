import { type KeeperEvent, type SignalDelivery, userName } from 'cgroup-utils-native';
import { type AdoptionInput, adoptProcess, type Boxed, resumeAdopted } from '../adopt/adopted-box.js';
import { type ShownProcess, variables } from '../adopt/main-process.js';
import { type AdoptOptions, parseAdopt } from '../adopt/options.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { describeError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import { createLogger } from '../log.js';
import type { Owner } from '../node-link/index.js';
import type { BoxSpec } from '../options/spec.js';
import { newBoxId } from '../supervise/box-id.js';
import type { BoxProcess } from '../supervise/box-process.js';
import * as run from '../supervise/run.js';
import {
  attach,
  type Host,
  type HostedBox,
  noLinkOfItsOwn,
  OWN_LINK,
  ofAgent,
  type Resumed,
  type Told,
} from './hosted-box.js';
import { hostedJob } from './hosted-job.js';
import { withNamedFiles } from './named-files.js';
import { type Recording, recorded, replay } from './recorded.js';
import { parseSaved, type SavedHosting, Saving } from './saving.js';

/** What the keeper of an adopted process has told. */
export interface ToldOfProcess extends Told {
  readonly shown: ShownProcess;
}

/** Wires the box around a process that was already running: `proc_box adopt` with an agent. */
export function hostAdoption(host: Host, told: ToldOfProcess, onEnded: () => void): HostedBox {
  const hosting = new Adoption(host, told, onEnded);
  void hosting.begin();
  return hosting;
}

class Adoption implements HostedBox {
  box: Box | undefined;
  readonly #told: ToldOfProcess;
  readonly #owner: Owner;
  /** How the groups of the box were made. */
  readonly #groups: Recording[number][] = [];
  #run: run.Run | undefined;
  /** Signals that have come before the process was in its box. */
  #early: SignalDelivery[] = [];
  #saving: Saving | undefined;
  #over = false;

  constructor(
    readonly host: Host,
    told: ToldOfProcess,
    readonly onEnded: () => void,
  ) {
    this.#told = told;
    this.#owner = { uid: told.peer.uid, user: userName(told.peer.uid) };
  }

  /** Makes the box, or goes on with one. An error of one box is told at that box, and does not affect the others. */
  async begin(): Promise<void> {
    const { hello, resumed } = this.#told;
    try {
      const options = parseAdopt(hello.argv);
      if (options === null) throw new Error('it asks for help');
      await (resumed === null ? this.#adopt(options) : this.#resume(options, resumed));
      for (const delivery of this.#early.splice(0)) this.#run?.onSignal(delivery);
    } catch (error) {
      if (resumed !== null) return this.#leave(error);
      const why = describeError(error, hello.debug);
      this.#say('error', why);
      if (hello.failsOpen) this.#tellUnboxed(why);
      this.#finish(EXIT.failed);
      this.#end();
    }
  }

  /** Publishes the event `unboxed`: the process runs on without its box. */
  #tellUnboxed(why: string): void {
    const { spec, loadNotice, loadYaml } = this.host;
    const environment = variables(this.#told.origin.environment);
    const notice = { words: [], settings: [], environment, why, loadYaml, spec, user: this.#owner.user };
    void loadNotice().tellUnboxed(notice);
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

  async #adopt(options: AdoptOptions): Promise<void> {
    const { keeper } = this.#told;
    const boxed = await adoptProcess(this.#input(options));
    this.#begun(boxed);
    // Whoever waits for the box reads the warnings; nobody reads the log of a detached one unless it has a file.
    if (options.detach && options.logFile === null) for (const warning of boxed.warnings) this.#say('warn', warning);
    keeper.toFront({ type: 'boxed' });
  }

  async #resume(options: AdoptOptions, resumed: Resumed): Promise<void> {
    const { box, commands, groups } = parseSaved(resumed.kept);
    if (box.pid !== resumed.pid) throw new Error('the saved state is of another process');
    this.#groups.push(...groups);
    this.#begun(await resumeAdopted(this.#input(options, commands), box, (task) => replay(task, groups)));
    if (resumed.expired) this.#run?.onKeeper({ type: 'expired', atMs: resumed.lostMs });
  }

  #begun({ run, spec }: Boxed): void {
    const { endSignal, graceMs, linger } = spec;
    this.#told.keeper.toFront({ type: 'rules', first: endSignal, second: linger ? 1 : 0, ms: graceMs });
    this.#run = run;
  }

  #input(options: AdoptOptions, commands?: SavedHosting['commands']): AdoptionInput {
    const { hello, origin, keeper, shown, peer } = this.#told;
    const saving = new Saving(keeper, this.#groups, () => this.box, commands);
    this.#saving = saving;
    const environment = variables(origin.environment);
    const { verified, writeReport, ourPids } = hostedJob(keeper, origin, environment, this.#owner.user, peer);
    const fit = (spec: BoxSpec) => ofAgent(spec, this.host.spec, hello.argv, origin.words);
    return {
      ...this.host,
      loadRun: () => run,
      attach: (box, spec) => attach(this.host, box, spec, this.#owner, saving),
      loadAmqp: noLinkOfItsOwn,
      keeper,
      shown,
      uid: peer.uid,
      opensAsOwner: false,
      options,
      boxId: newBoxId(),
      boxProcess: this.#process(options.detach),
      settings: hello.settings,
      failsOpen: hello.failsOpen,
      without: OWN_LINK,
      environment,
      folder: origin.folder,
      frontPid: origin.frontPid,
      ourPids,
      ...(verified !== undefined && { verified }),
      ...(writeReport !== undefined && { writeReport }),
      withFiles: (parse) => withNamedFiles(keeper, peer.uid, parse),
      make: (task) => {
        this.#groups.length = 0;
        return runInKeeper(keeper, recorded(task, this.#groups));
      },
      run: (task) => runInKeeper(keeper, task),
      fit,
      deliverSignals() {},
      onChanged: saving.changed,
      onBox: (box) => {
        this.box = box;
      },
    };
  }

  /** The front end and the keeper, as the box sees them. */
  #process(detached: boolean): BoxProcess {
    const { keeper } = this.#told;
    return {
      write: (text) => keeper.toFront({ type: 'say', text }),
      guard() {},
      started: (flushMs) => keeper.toFront({ type: 'flush', ms: flushMs }),
      bound() {},
      stopGroup: async () => {},
      removeGroups() {},
      // Nobody waits for the exit status of a detached box, and a scheduler soon removes the groups around ours.
      finish: () => {
        if (detached) this.#finish(0);
      },
      ended: (exitStatus) => {
        this.#finish(exitStatus);
        this.#end();
      },
    };
  }

  /** The keeper is not needed any more. */
  #finish(exitStatus: number): void {
    this.#saving?.end();
    this.#told.keeper.toFront({ type: 'outcome', first: exitStatus, second: 0 });
    this.#told.keeper.close();
  }

  /** The box cannot be gone on with: its keeper does what is due until its end. */
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
