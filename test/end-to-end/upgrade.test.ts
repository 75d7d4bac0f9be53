import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { PROC_BOX, PYTHON, plainEnvironment, temporaryFolder } from '../fixtures/run.js';

/** An upgrade in place, between the start of the front end and that of Node: they speak different versions of a protocol. */

const ROOT = dirname(dirname(PROC_BOX));
const PARTS = ['bin/proc_box', 'dist', 'native/build/Release/cgroup_utils_native.node'];
const WHY =
  /the keeper speaks version 4711 of its protocol, and this proc_box \d+: it was installed anew while it started/;

t.test('Node asks nothing of a keeper of another version, and tells the front end', async (t) => {
  const keeper = join(ROOT, 'test', 'fixtures', 'keeper-of-another-version.py');
  const words = [keeper, process.execPath, join(ROOT, 'dist', 'boot.cjs'), '-uri', 'none', '--', 'true'];
  const { stdout, stderr } = spawnSync(PYTHON, words, {
    encoding: 'utf8',
    env: plainEnvironment(),
    timeout: 60_000,
  });
  t.equal(stderr, '', 'the front end tells the user');
  t.match(stdout, new RegExp(`^say 4 ${WHY.source}; start it again\n$`));
});

/** To the Node of this installation its own keeper is of another version. */
function upgraded(t: Test): string {
  const dir = temporaryFolder(t);
  for (const part of PARTS) {
    mkdirSync(dirname(join(dir, part)), { recursive: true });
    cpSync(join(ROOT, part), join(dir, part), { recursive: true });
  }
  renameSync(join(dir, 'dist/boot.cjs'), join(dir, 'dist/real-boot.cjs'));
  writeFileSync(
    join(dir, 'dist/boot.cjs'),
    `const { dlopen } = process;
    process.dlopen = (module, path) => {
      dlopen(module, path);
      const { Keeper } = module.exports;
      const mismatch = { type: 'mismatch', version: 4711, expected: 1 };
      const Older = class extends Keeper {
        constructor(fd, onEvent) {
          super(fd, (event) => onEvent(event.type === 'hello' ? mismatch : event));
        }
      };
      module.exports = { ...module.exports, Keeper: Older };
    };
    require('./real-boot.cjs');`,
  );
  return dir;
}

function start(t: Test, words: readonly string[]) {
  const options = { encoding: 'utf8', env: plainEnvironment(), timeout: 60_000 } as const;
  return spawnSync(join(upgraded(t), 'bin/proc_box'), words, options);
}

t.test('the job does not start, and 125 says why', async (t) => {
  const { status, stdout, stderr } = start(t, ['-uri', 'none', 'echo', 'ran']);
  t.strictSame([status, stdout], [125, '']);
  t.match(stderr, new RegExp(`^proc_box: error: ${WHY.source}; start it again; the job is not started\n$`));
});

t.test('with --failure open the job runs without a box, and its status is its own', async (t) => {
  const { status, stdout, stderr } = start(t, [
    '-uri',
    'none',
    '--failure',
    'open',
    '--',
    'sh',
    '-c',
    'echo ran; exit 9',
  ]);
  t.strictSame([status, stdout], [9, 'ran\n']);
  t.match(stderr, WHY);
  t.match(stderr, /the job runs without a box \(--failure open\)/);
});
