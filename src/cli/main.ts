import { exitNow, Keeper, type KeeperEvent, protectSelf } from 'cgroup-utils-native';
import { writeSync } from 'node:fs';
import { EXIT } from '../box/outcome.js';
import { EnvironmentError, SpecError } from '../errors.js';
import { createLogger } from '../log.js';
import { jobDeadline } from '../scheduler/deadline.js';
import { assembleSpec } from '../spec/assemble.js';
import { systemFiles } from '../spec/files.js';
import { helpText } from '../spec/help.js';
import { run, type Run } from './run.js';
import type * as Tools from './tools.js';

/** boot.cjs passes it: loads a bundle of dist/ that is not on the launch path. */
declare const loadBundle: <Exports>(name: string) => Exports;
/** The version of the package; the build sets it. */
declare const PROC_BOX_VERSION: string;

/** The keeper's socket; native/src/front.cc knows it too. */
const CONTROL_FD = 3;

// Every end that is known sets its own status; one that is not is never 0.
process.exitCode = EXIT.failed;
protectSelf();
let running: Run | undefined;
const keeper = new Keeper(CONTROL_FD, (event) => {
  if (event.type === 'hello') begin(event);
  else if (running !== undefined) running.onKeeper(event);
  else if (event.type === 'gone') fail('the keeper has died before the job was started');
});

function begin(hello: Extract<KeeperEvent, { type: 'hello' }>): void {
  if (hello.argv[1] === 'ctl') return control(hello);
  try {
    const assembled = assembleSpec({
      argv: hello.argv,
      settings: hello.settings,
      files: systemFiles(),
      deadline: jobDeadline(process.env, Date.now()),
      loadYaml: () => loadBundle('yaml'),
    });
    if (assembled.kind === 'help') return say(helpText());
    if (assembled.kind === 'version') return say(`proc_box ${PROC_BOX_VERSION}\n`);
    running = run({ keeper, hello, ...assembled, loadAmqp: () => loadBundle('amqp') });
  } catch (error) {
    if (!(error instanceof SpecError || error instanceof EnvironmentError)) throw error;
    fail(error.message);
  }
}

/** `proc_box ctl`: there is no job, so nothing for the keeper to do. `proc_box -- ctl` runs a program of that name. */
function control({ argv, settings }: Extract<KeeperEvent, { type: 'hello' }>): void {
  running = { onKeeper() {} };
  keeper.close();
  const { runCtl } = loadBundle<typeof Tools>('tools');
  void runCtl({ argv, settings, files: systemFiles(), loadYaml: () => loadBundle('yaml') }).then(exitNow);
}

/** The only output on stdout: there is no job. */
function say(text: string): never {
  writeSync(1, text);
  return exitNow(0);
}

function fail(message: string): never {
  createLogger('error').error(message);
  return exitNow(EXIT.failed);
}
