import type { KeeperEvent } from 'cgroup-utils-native';
import { type AdoptionInput, adoptProcess, type Boxed, resumeAdopted } from '../adopt/adopted-box.js';
import { type ShownProcess, variables } from '../adopt/main-process.js';
import { type AdoptOptions, parseAdopt } from '../adopt/options.js';
import { EXIT } from '../box/outcome.js';
import { describeError } from '../errors.js';
import { runInKeeper } from '../kernel/run-task.js';
import type { BoxSpec } from '../options/spec.js';
import { newBoxId } from '../supervise/box-id.js';
import type { BoxProcess } from '../supervise/box-process.js';
import * as run from '../supervise/run.js';
import { OWN_LINK, ofAgent } from './hosted-box.js';
import { hostedJob } from './hosted-job.js';
import { expiry, type Host, type HostedBox, Hosting, type Resumed, type Told } from './hosting.js';
import { withNamedFiles } from './named-files.js';
import { recorded } from './recorded.js';
import { parseSaved, type SavedHosting } from './saving.js';

/** What the keeper of an adopted process has told. */
export interface ToldOfProcess extends Told {
  readonly shown: ShownProcess;
}

/** Wires the box around a process that was already running: `proc_box adopt` with an agent. */
export function hostAdoption(host: Host, told: ToldOfProcess, onEnded: () => void): HostedBox {
  const hosting = new Adoption(host, told, onEnded);
  hosting.beginInTurn();
  return hosting;
}

class Adoption extends Hosting<ToldOfProcess> {
  /** Makes the box, or goes on with one. An error of one box is told at that box, and does not affect the others. */
  async begin(): Promise<void> {
    const { hello, resumed } = this.told;
    try {
      const options = parseAdopt(hello.argv);
      if (options === null) throw new Error('it asks for help');
      await (resumed === null ? this.#adopt(options) : this.#resume(options, resumed));
    } catch (error) {
      if (resumed !== null) return this.leave(error);
      const why = describeError(error, hello.debug);
      this.say('error', why);
      if (hello.failsOpen) this.tellUnboxed(why, variables(this.told.origin.environment), this.host.spec);
      this.outcome(EXIT.failed);
      this.end();
    }
  }

  async #adopt(options: AdoptOptions): Promise<void> {
    const { keeper } = this.told;
    const boxed = await adoptProcess(this.#input(options));
    this.#begun(boxed);
    // Whoever waits for the box reads the warnings; nobody reads the log of a detached one unless it has a file.
    if (options.detach && options.logFile === null) for (const warning of boxed.warnings) this.say('warn', warning);
    keeper.toFront({ type: 'boxed' });
  }

  async #resume(options: AdoptOptions, resumed: Resumed): Promise<void> {
    const { box, commands, groups } = parseSaved(resumed.kept);
    if (box.pid !== resumed.pid) throw new Error('the saved state is of another process');
    const boxed = await resumeAdopted(this.#input(options, commands), box, (task) => this.replayed(task, groups));
    this.#begun(boxed, expiry(resumed));
  }

  #begun({ run, spec }: Boxed, first?: readonly KeeperEvent[]): void {
    this.rule(spec);
    this.supervised(run, first);
  }

  #input(options: AdoptOptions, commands?: SavedHosting['commands']): AdoptionInput {
    const { hello, origin, keeper, shown, peer } = this.told;
    const { uid } = peer;
    const environment = variables(origin.environment);
    const { verified, writeReport, ourPids } = hostedJob(keeper, origin, environment, this.owner.user, peer);
    const saving = this.save(commands);
    const { link, loadAmqp, time } = this.linked(saving);
    const fit = (spec: BoxSpec) => ofAgent(spec, this.host.spec, hello.argv, origin.words);
    return {
      ...this.host,
      loadRun: () => run,
      loadAmqp,
      time,
      link,
      keeper,
      shown,
      uid,
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
      withFiles: (parse) => withNamedFiles(keeper, uid, parse),
      make: (task) => {
        this.groups.length = 0;
        return runInKeeper(keeper, recorded(task, this.groups));
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
    const { keeper } = this.told;
    return {
      write: (text) => keeper.toFront({ type: 'say', text }),
      guard() {},
      started: (flushMs) => keeper.toFront({ type: 'flush', ms: flushMs }),
      bound() {},
      stopGroup: async () => {},
      removeGroups() {},
      // Nobody waits for the exit status of a detached box, and a scheduler soon removes the groups around ours.
      finish: () => {
        if (detached) this.outcome(0);
      },
      ended: (exitStatus) => {
        this.outcome(exitStatus);
        this.end();
      },
    };
  }
}
