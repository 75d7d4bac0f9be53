// test-timeout: 180s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { sharedBroker, unique } from '../fixtures/broker.js';
import { until } from '../fixtures/processes.js';
import { PROC_BOX, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** An upgrade in place while boxes run: each file becomes another one, as dpkg and rpm do it. */

const ROOT = dirname(dirname(PROC_BOX));
const BOXES = 20;

function install(t: Test): string {
  const target = join(temporaryFolder(t), 'proc_box');
  const addon = 'native/build/Release/cgroup_utils_native.node';
  for (const name of ['bin', 'dist', addon]) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    cpSync(join(ROOT, name), join(target, name), { recursive: true });
  }
  mkdirSync(join(target, 'node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(target, 'node/bin/node'));
  return target;
}

/** The next version has bundles that do not understand this one, so none of them may be loaded by a box that runs. */
function upgrade(target: string): void {
  const dist = join(target, 'dist');
  for (const name of readdirSync(dist).filter((name) => name.endsWith('.cjs'))) {
    writeFileSync(join(dist, `${name}.new`), '(() => { throw new Error("a bundle of the next version"); })');
    renameSync(join(dist, `${name}.new`), join(dist, name));
  }
  for (const path of ['bin/proc_box', 'native/build/Release/cgroup_utils_native.node']) {
    writeFileSync(join(target, `${path}.new`), 'the next version');
    renameSync(join(target, `${path}.new`), join(target, path));
  }
}

t.test(`${BOXES} boxes run on, can be commanded, and end with their reports`, async (t) => {
  const uri = await sharedBroker(t);
  const target = install(t);
  const key = unique('upgrade');
  const folder = temporaryFolder(t);
  const common = ['--config', 'none', '--uri', uri, '--rkey', key];
  const boxes: { child: ChildProcess; exit: Promise<unknown[]>; report: string }[] = [];
  for (let index = 0; index < BOXES; index++) {
    const report = join(folder, `report-${index}`);
    const words = [
      ...common,
      '--report-file',
      report,
      '--',
      'sh',
      '-c',
      'while [ ! -e "$0" ]; do sleep 0.1; done; exit $1',
    ];
    const child = spawn(join(target, 'bin/proc_box'), [...words, join(folder, 'end'), String(index + 1)], {
      env: plainEnvironment(),
      stdio: 'ignore',
    });
    t.teardown(() => child.kill('SIGKILL'));
    boxes.push({ child, exit: once(child, 'exit'), report });
  }
  const ctl = (...words: string[]) =>
    spawnSync(PROC_BOX, ['ctl', ...common, '--json', '--all', ...words], { encoding: 'utf8', env: plainEnvironment() });
  const answers = (...words: string[]) =>
    ctl(...words)
      .stdout.split('\n')
      .filter((line) => line.includes('"ok":true')).length;
  await until(() => answers('--answers', String(BOXES), 'ping') === BOXES, 'all boxes answer', 60_000);

  upgrade(target);
  const count = ['--wait', '20s', '--answers', String(BOXES)];
  t.equal(answers(...count, 'set_limit', 'timeout', '2h'), BOXES, 'all take a command');
  t.equal(answers(...count, 'status'), BOXES, 'all tell their status');
  writeFileSync(join(folder, 'end'), '');
  const ends = await Promise.all(boxes.map(({ exit }) => exit));
  t.strictSame(
    ends,
    boxes.map((_, index) => [index + 1, null]),
    'each ends with the status of its job',
  );
  t.strictSame(boxes.filter(({ report }) => !existsSync(report)).length, 0, 'each has written its report');
  t.match(JSON.parse(readFileSync(boxes[0]!.report, 'utf8')), { reason: 'exited' });
});
