import { exitNow, Keeper, type KeeperEvent, protectSelf, watchSignals } from 'cgroup-utils-native';
import type * as AgentBundle from '../agent/index.js';
import type * as Amqp from '../amqp/index.js';
import type * as Signed from '../amqp/signed.js';
import type { Box } from '../box/box.js';
import { EXIT } from '../box/outcome.js';
import { describeError, isEnvironmentError, isSpecError } from '../errors.js';
import { inThisProcess, runHere } from '../kernel/run-task.js';
import { createLogger } from '../log.js';
import { type Assembled, assembleSpec } from '../options/assemble.js';
import { systemFiles } from '../options/files.js';
import { splitWords } from '../options/split-words.js';
import type { VERBS } from '../options/table/verbs.js';
import type { YamlLoader } from '../options/yaml-document.js';
import type * as PrintBundle from '../print.js';
import { jobDeadline } from '../scheduler/deadline.js';
import type * as Spool from '../spool/index.js';
import { newBoxId } from '../supervise/box-id.js';
import type * as FallbacksBundle from '../supervise/fallbacks.js';
import type { Fallback } from '../supervise/fallbacks.js';
import type * as LaunchFailure from '../supervise/launch-failure.js';
import type * as NoticeBundle from '../supervise/notice.js';
import type * as ReportFile from '../supervise/report-file.js';
import { prepareResources } from '../supervise/resources.js';
import type * as RunBundle from '../supervise/run.js';
import type * as Slurm from '../supervise/slurm.js';
import { launchedJob } from '../supervise/subject.js';
import type * as Allowed from '../supervise/within-allowed.js';
import type * as AdoptBundle from './adopt.js';
import type * as CollectorBundle from './collector.js';
import type * as Observe from './observe/index.js';
import type * as Tools from './tools.js';

/** Loads a bundle of dist/ that the launch path does not need; boot.cjs passes this function in. */
declare const loadBundle: {
  <Exports>(name: string): Exports;
  /** Runs unboxed.cjs: the front end then launches the job without a box, or refuses to. */
  readonly unboxed: (why: { readonly message: string; readonly remedy: string }) => void;
};
/** Version of the package; the build defines it. */
declare const PROC_BOX_VERSION: string;

/** The keeper's socket; native/src/front/node.cc puts it there. */
const CONTROL_FD = 3;

// Every foreseen end sets its own status. An unforeseen one must not look like success.
process.exitCode = EXIT.failed;
protectSelf();
type Hello = Extract<KeeperEvent, { type: 'hello' }>;
type Tool = Exclude<(typeof VERBS)[number], 'adopt' | 'agent' | 'collector'>;

let running: RunBundle.Run | undefined;
/** The keeper has been told to launch the job. */
let started = false;
let debugging = false;
// An unforeseen error is one line without source text. Once there is a box, run.ts handles such errors.
process.on('uncaughtException', (error) => fail(describeError(error, debugging)));
const keeper = new Keeper(CONTROL_FD, (event) => {
  if (event.type === 'hello') begin(event);
  else if (running !== undefined) running.onKeeper(event);
  else if (event.type === 'mismatch') loadBundle.unboxed(anotherVersion(event));
  else if (event.type === 'gone') fail('the keeper has died before the job was started');
});

/** The package was upgraded after the front end had started and before Node did. */
function anotherVersion({ version, expected }: { version: number; expected: number }) {
  const message = `the keeper speaks version ${version} of its protocol, and this proc_box ${expected}: it was installed anew while it started`;
  return { message, remedy: 'start it again' };
}

/** Bundles that are loaded on first use. */
const loaders = {
  loadYaml: () => loadBundle<ReturnType<YamlLoader>>('yaml'),
  loadRun: () => loadBundle<typeof RunBundle>('run'),
  loadAmqp: () => loadBundle<typeof Amqp>('amqp'),
  loadSpool: () => loadBundle<typeof Spool>('spool'),
  loadSigned: () => loadBundle<typeof Signed>('signed'),
  loadSlurm: () => loadBundle<typeof Slurm>('slurm'),
  loadLaunchFailure: () => loadBundle<typeof LaunchFailure>('launch-failure'),
  loadReportFile: () => loadBundle<typeof ReportFile>('report-file'),
};

/** Dispatches on the verb that the front end has read. */
function begin(hello: Hello): void {
  debugging = hello.debug;
  switch (hello.verb) {
    case '':
      return launchJob(hello);
    case 'adopt':
      return adoptProcess(hello);
    case 'agent':
      return serveNode(hello);
    case 'collector':
      return collect(hello);
    case '--help':
      return say(loadBundle<typeof Tools>('tools').helpText());
    case '--version':
      return say(`proc_box ${PROC_BOX_VERSION}\n`);
    default:
      return useTool(hello.verb, hello);
  }
}

/** Holds signals that arrive before there is a box. @returns a function that delivers them */
function holdSignals(): () => void {
  return watchSignals((delivery) => void running?.onSignal(delivery));
}

function launchJob(hello: Hello): void {
  const deliverSignals = holdSignals();
  const input = {
    ...splitWords(hello.argv, hello.commandIndex),
    settings: hello.settings,
    files: systemFiles(),
    deadline: jobDeadline(process.env, Date.now()),
    loadYaml: loaders.loadYaml,
  };
  let assembled: Assembled | undefined;
  try {
    assembled = assembleSpec(input);
    launch(hello, assembled, hello.commandIndex, deliverSignals);
  } catch (error) {
    const why = describeError(error, debugging);
    if (running !== undefined || started || !hello.failsOpen) fail(why);
    const { areTold, fallbacks } = loadBundle<typeof FallbacksBundle>('fallbacks');
    const index = areTold(input.words) ? hello.commandIndex : hello.fallbackIndex;
    if (index >= hello.argv.length) fail(why);
    const known = { ...input, ...splitWords(hello.argv, index) };
    for (const fallback of fallbacks(known, error as Error, assembled?.spec ?? null)) {
      if (launchInstead(hello, fallback, index, deliverSignals, why)) return;
    }
    fail(why);
  }
}

/** @returns false if this fallback cannot be had either */
function launchInstead(
  hello: Hello,
  { spec, warnings, says, kind }: Fallback,
  commandIndex: number,
  deliverSignals: () => void,
  why: string,
): boolean {
  try {
    const line = `${why}; ${says} (--failure open)`;
    const tell = kind === 'box' ? undefined : () => tellUnboxed(hello, hello.argv.slice(1, commandIndex), why);
    launch(hello, { spec, warnings }, commandIndex, deliverSignals, { line, tell });
    return true;
  } catch (error) {
    if (started || !(isSpecError(error) || isEnvironmentError(error))) throw error;
    return false;
  }
}

/** `proc_box adopt --failure open`: the process runs on without a box. The caller learns that once the event has been sent. */
function notAdopted(hello: Hello, message: string): void {
  if (!hello.failsOpen) fail(message);
  void tellUnboxed(hello, hello.argv.slice(2), message).then(() => fail(message));
}

/** Publishes the `unboxed` event while the job already runs. Never rejects. */
async function tellUnboxed({ settings }: Hello, words: readonly string[], why: string): Promise<void> {
  await null;
  try {
    const { tellUnboxed } = loadBundle<typeof NoticeBundle>('notice');
    await tellUnboxed({ words, settings, environment: process.env, why, loadYaml: () => loadBundle('yaml') });
  } catch {
    // A bundle is missing. Stderr already says why there is no box.
  }
}

/** Starts the job first: the bundles that its start does not need are loaded while the keeper forks it. */
function launch(
  hello: Hello,
  assembled: Assembled,
  commandIndex: number,
  deliverSignals: () => void,
  instead?: { readonly line: string; readonly tell: (() => Promise<void>) | undefined },
): void {
  const { spec, warnings } = allowedOf(assembled, hello);
  const boxId = newBoxId();
  let box: Box | undefined;
  const subject = launchedJob(keeper);
  const resources = { spec, boxId, keeper, subject, box: () => box, run: inThisProcess };
  const { cgroup, control } = runHere(prepareResources(resources));
  if (instead !== undefined) createLogger('error').error(instead.line);
  const { argv0, rlimits, stdoutMaxBytes } = spec;
  started = true;
  keeper.start({ commandIndex, argv0, rlimits, stdoutMaxBytes, cgroup });
  const { run } = loaders.loadRun();
  const onBox = (made: Box) => {
    box = made;
  };
  running = run({
    spec,
    warnings,
    keeper,
    hello,
    subject,
    boxId,
    cgroup,
    resources: control,
    onBox,
    ...loaders,
    deliverSignals,
    ...(instead?.tell !== undefined && { beside: instead.tell() }),
  });
}

/** Loads its bundle only if an option asks for something that this host may not allow. */
function allowedOf(assembled: Assembled, { stdoutMode }: Hello) {
  const { stdoutAsked, enforceAsked, rlimits } = assembled.spec;
  if (!stdoutAsked && !(enforceAsked && rlimits.length > 0)) return assembled;
  const { tryOn, withinAllowed } = loadBundle<typeof Allowed>('within-allowed');
  return tryOn(keeper.pid, withinAllowed(assembled, stdoutMode));
}

/** Serves the boxes of this node. There is no job of our own, so our keeper has nothing to do. */
function serveNode({ argv, settings, debug }: Hello): void {
  running = { onKeeper() {}, async onSignal() {} };
  keeper.close();
  const { runAgent } = loadBundle<typeof AgentBundle>('agent');
  const input = {
    argv,
    settings,
    debug,
    files: systemFiles(),
    version: PROC_BOX_VERSION,
    ...loaders,
    loadNotice: () => loadBundle<typeof NoticeBundle>('notice'),
  };
  void runAgent(input).then(exitNow);
}

/** Keeps and serves what boxes publish. There is no job of our own, so our keeper has nothing to do. */
function collect({ argv, settings, debug }: Hello): void {
  running = { onKeeper() {}, async onSignal() {} };
  keeper.close();
  const { runCollector } = collectorBundle();
  const { loadYaml } = loaders;
  const input = { argv, settings, debug, files: systemFiles(), version: PROC_BOX_VERSION, loadYaml };
  const loadOtel = () => loadBundle<ReturnType<CollectorBundle.CollectorInput['loadOtel']>>('otel');
  void runCollector({ ...input, load: require, loadOtel, dist: __dirname }).then(exitNow);
}

/** The package of the compute nodes leaves it out. */
function collectorBundle(): typeof CollectorBundle {
  try {
    return loadBundle<typeof CollectorBundle>('collector');
  } catch (error) {
    if (!(error as Error).message.startsWith('cannot read')) throw error;
    return fail('the collector is not installed here: install the package proc-box-collector (docs/observe.md)');
  }
}

/** Boxes a process that already runs. (`proc_box -- adopt` runs a program of that name.) */
function adoptProcess(hello: Hello): void {
  const deliverSignals = holdSignals();
  try {
    running = loadBundle<typeof AdoptBundle>('adopt').adopt({
      keeper,
      hello,
      boxId: newBoxId(),
      files: systemFiles(),
      ...loaders,
      deliverSignals,
      onFailed: (error) => notAdopted(hello, describeError(error, debugging)),
    });
  } catch (error) {
    notAdopted(hello, describeError(error, debugging));
  }
}

/** Runs a tool: there is no job, so the keeper has nothing to do. (`proc_box -- ctl` runs a program of that name.) */
function useTool(name: Tool, { argv, settings, debug }: Hello): void {
  running = { onKeeper() {}, async onSignal() {} };
  keeper.close();
  const tool = toolOf(name);
  void tool({ argv, settings, debug, files: systemFiles(), loadYaml: () => loadBundle('yaml') }).then(exitNow);
}

function toolOf(name: Tool) {
  switch (name) {
    case 'top':
      return loadBundle<typeof Observe>('observe').runTop;
    case 'watch':
      return loadBundle<typeof Observe>('observe').runWatch;
    case 'report':
      return loadBundle<typeof Observe>('observe').runReport;
    default: {
      const { runCheck, runCtl, runList, runSpool, runWhere } = loadBundle<typeof Tools>('tools');
      return { ctl: runCtl, check: runCheck, list: runList, spool: runSpool, where: runWhere }[name];
    }
  }
}

function say(text: string): never {
  return loadBundle<typeof PrintBundle>('print').printAndExit(text);
}

function fail(message: string): never {
  createLogger('error').error(message);
  return exitNow(EXIT.failed);
}
