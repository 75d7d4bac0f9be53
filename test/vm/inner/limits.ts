import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { readProc } from '../../fixtures/processes.js';
import { type Box, groupFile, groupOf, groups, job, kill, PATIENCE_MS, runBox, startBox, until } from './box.js';
import { SETTINGS, type Setting } from './setting.js';

/** Limits of control groups v2: seen from inside of the job, and by what happens at each of them. */

const MIB = 2 ** 20;
const DISK = process.env['PROC_BOX_VM_DISK'] ?? '';
const limited = { timeout: 3 * PATIENCE_MS };

for (const setting of SETTINGS.filter((setting) => setting.delegated)) {
  describe(setting.name, () => {
    test('every limit is in force at the first instruction', limited, (t) => firstInstruction(t, setting));
    test('the group is below the one of the wrapper, and the wrapper never in it', limited, (t) => places(t, setting));
    test('more memory than --memory ends the box: 137, reason oom', limited, (t) => outOfMemory(t, setting));
    test('--pids 20 refuses more with EAGAIN', limited, (t) => tooManyProcesses(t, setting));
    test('--cpus 0.2 gives a fifth of a core', limited, (t) => slowed(t, setting));
    test('the group is removed at the end', limited, (t) => removedAtEnd(t, setting));
    test('SIGKILL of the wrapper removes the processes and the group', limited, (t) => removedAfterKill(t, setting));
    test('SIGKILL of the wrapper of a frozen box does, too', limited, (t) => removedWhenFrozen(t, setting));
    if (setting.controllers.includes('io')) {
      test('--io-max 2 MiB/s takes 3 s for 6 MiB', limited, (t) => slowDisk(t, setting));
    }
  });
}

type Context = Parameters<typeof startBox>[0];

async function firstInstruction(t: Context, setting: Setting) {
  const has = (controller: string) => setting.controllers.includes(controller);
  const options = ['--memory=64M', '--memory-high=48M', '--swap=8M', '--cpus=0.5', '--cpu-weight=50', '--pids=20'];
  if (has('cpuset')) options.push('--cpuset=1');
  if (has('io')) options.push(`--io-max=${DISK}:rbps=1M,wbps=2M,riops=100,wiops=200`);
  const { code, stdout, stderr } = await runBox(t, setting, ['--enforce=strict', ...options], job('limits.sh'));
  assert.equal(code, 0, stderr);
  const found = table(stdout);
  assert.deepEqual(
    {
      memory: Number(found.get('memory.max')),
      high: Number(found.get('memory.high')),
      swap: Number(found.get('memory.swap.max')),
      oomGroup: found.get('memory.oom.group'),
      cpus: found.get('cpu.max'),
      weight: found.get('cpu.weight'),
      pids: found.get('pids.max'),
    },
    {
      memory: 64 * MIB,
      high: 48 * MIB,
      swap: 8 * MIB,
      oomGroup: '1',
      cpus: '50000 100000',
      weight: '50',
      pids: '20',
    },
  );
  if (has('cpuset')) {
    assert.equal(found.get('cpuset.cpus.effective'), '1');
    assert.equal(found.get('Cpus_allowed_list:'), '1');
  }
  if (has('io')) {
    assert.match(found.get('io.max') ?? '', new RegExp(`^\\d+:\\d+ rbps=${MIB} wbps=${2 * MIB} riops=100 wiops=200$`));
  }
}

async function places(t: Context, setting: Setting) {
  const box = await limitedBox(t, setting);
  const group = groupOfJob(box);
  assert.ok(group.startsWith(`${box.group}/`), `${group} is below ${box.group}`);
  const ours = box
    .members()
    .filter((pid) => pid === box.pid || /^proc_box-keeper/.test(readProc(`/proc/${pid}/comm`) ?? ''));
  assert.equal(ours.length, 2, 'wrapper and keeper');
  for (const pid of ours) {
    const place = groupOf(pid);
    assert.ok(`${place}/`.startsWith(`${box.group}/`), `${place} is not above ${box.group}`);
    assert.ok(!`${place}/`.startsWith(`${group}/`), `${place} is not inside of ${group}`);
  }
  await ended(box);
}

async function outOfMemory(t: Context, setting: Setting) {
  const { code, stdout, stderr } = await runBox(t, setting, ['--memory=64M', '--report'], job('allocate.py', '200'));
  assert.equal(stdout, '');
  assert.equal(code, 137, stderr);
  assert.match(stderr, /^ {2}ended +oom: SIGKILL/m);
  // Name, value, used and their ratio, and what has held it.
  assert.match(stderr, /^ {2}memory +64 MiB .* cgroup2$/m);
}

async function tooManyProcesses(t: Context, setting: Setting) {
  const { code, stdout, stderr } = await runBox(t, setting, ['--pids=20'], job('forks.py'));
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), '19 EAGAIN', 'with the job itself 20');
  const group = await runBox(t, setting, ['--pids=20'], job('limits.sh'));
  const { 'cpu.weight': weight } = Object.fromEntries(table(group.stdout));
  assert.equal(weight, String(100 * availableParallelism()), 'its processes share what one on each CPU would get');
}

async function slowed(t: Context, setting: Setting) {
  const { stdout, stderr } = await runBox(t, setting, ['--cpus=0.2'], job('spin.py', '4'));
  const share = Number(/^share (.*)$/m.exec(stdout)?.[1]);
  assert.ok(share > 0.1 && share < 0.27, `a share of ${share}; ${stderr}`);
}

async function removedAtEnd(t: Context, setting: Setting) {
  const box = await limitedBox(t, setting);
  const group = groupOfJob(box);
  assert.ok(groups().includes(group));
  await ended(box);
  assert.deepEqual(groupsOf(box), []);
}

async function removedAfterKill(t: Context, setting: Setting) {
  const box = await limitedBox(t, setting);
  kill(box.pid);
  await box.allGone();
  await until(
    () => groupsOf(box).length === 0,
    () => `no group is left: ${groupsOf(box)}`,
  );
}

async function removedWhenFrozen(t: Context, setting: Setting) {
  const box = await limitedBox(t, setting);
  const group = groupOfJob(box);
  writeFileSync(`/sys/fs/cgroup${group}/cgroup.freeze`, '1');
  await until(
    () => /^frozen 1$/m.test(groupFile(group, 'cgroup.events')),
    () => 'the group is frozen',
  );
  kill(box.pid);
  await box.allGone();
  await until(
    () => groupsOf(box).length === 0,
    () => `no group is left: ${groupsOf(box)}`,
  );
}

async function slowDisk(t: Context, setting: Setting) {
  chmodSync(DISK, 0o666); // of this machine only
  const options = ['--enforce=strict', `--io-max=${DISK}:wbps=2M`];
  const { stdout, stderr } = await runBox(t, setting, options, job('write-disk.py', DISK, '6'));
  const seconds = Number(/^seconds (.*)$/m.exec(stdout)?.[1]);
  assert.ok(seconds > 2.2 && seconds < 6, `${seconds} s; ${stderr}`);
}

const [plain] = SETTINGS;
if (plain?.name === 'root') {
  describe('root, once', () => {
    test('--memory alone allows no swap', limited, async (t) => {
      const { stdout } = await runBox(t, plain, ['--memory=64M'], job('limits.sh'));
      assert.equal(table(stdout).get('memory.swap.max'), '0');
    });

    test('--swap lets a box outgrow its memory', limited, async (t) => {
      const options = ['--memory=48M', '--swap=128M'];
      const { code, stdout, stderr } = await runBox(t, plain, options, job('allocate.py', '90'));
      assert.equal(code, 0, stderr);
      assert.equal(stdout, 'allocated 90\n');
    });

    test('--oom-group false kills one process, and the job goes on', limited, async (t) => {
      const options = ['--memory=64M', '--oom-group=false'];
      const { code, stdout, stderr } = await runBox(t, plain, options, job('allocating-child.sh', '200'));
      assert.equal(stdout, 'child ended with 137\n', stderr);
      assert.equal(code, 5);
    });

    test('the whole box ends where memory of a child is at the limit', limited, async (t) => {
      const { code, stdout, stderr } = await runBox(t, plain, ['--memory=64M'], job('allocating-child.sh', '200'));
      assert.equal(stdout, '', stderr);
      assert.equal(code, 137);
    });

    test('--cpuset with a CPU that is not there says which there are', limited, async (t) => {
      const { code, stdout, stderr } = await runBox(t, plain, ['--cpuset=7'], job('limits.sh'));
      assert.equal(code, 125, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /cpuset.*\b0-1\b/s);
    });

    test('--io-max of what is no block device says so', limited, async (t) => {
      const { code, stderr } = await runBox(t, plain, ['--io-max=/no/such/disk:wbps=1M'], job('limits.sh'));
      assert.equal(code, 125, stderr);
      assert.match(stderr, /\/no\/such\/disk/);
    });

    test('--cgroup off leaves the job where the wrapper is', limited, async (t) => {
      const { box, code, stdout } = await runBox(t, plain, ['--cgroup=off'], job('limits.sh'));
      assert.equal(code, 0);
      assert.equal(table(stdout).get('group'), box.group);
    });

    test('--cgroup <path> puts the job below that group', limited, async (t) => {
      const path = '/sys/fs/cgroup/vm/given';
      mkdirSync(path);
      const { code, stdout, stderr } = await runBox(t, plain, [`--cgroup=${path}`, '--memory=64M'], job('limits.sh'));
      assert.equal(code, 0, stderr);
      const found = table(stdout);
      assert.ok(found.get('group')?.startsWith('/vm/given/'), `${found.get('group')} is below ${path}`);
      assert.equal(Number(found.get('memory.max')), 64 * MIB);
      assert.deepEqual(
        groups().filter((group) => group.startsWith('/vm/given/')),
        [],
      );
    });

    test('--memory above that of the group above is refused with the range', limited, async (t) => {
      const path = '/sys/fs/cgroup/vm/narrow';
      mkdirSync(path);
      writeFileSync(`${path}/memory.max`, String(48 * MIB));
      const { code, stdout, stderr } = await runBox(t, plain, [`--cgroup=${path}`, '--memory=512M'], job('limits.sh'));
      assert.equal(code, 125, stderr);
      assert.equal(stdout, '', 'the job has not started');
      assert.match(stderr, /memory/);
      assert.match(stderr, new RegExp(`${48 * MIB}|48 ?MiB`));
    });

    test('20 boxes leave no group', { timeout: 5 * PATIENCE_MS }, async (t) => {
      const boxes: Box[] = [];
      const one = () => runBox(t, plain, ['--memory=64M', '--pids=20'], ['true']);
      const known = new Set(groups());
      for (let round = 0; round < 10; round++) {
        const pair = await Promise.all([one(), one()]);
        for (const { box, code } of pair) assert.equal(code, 0, box.stderr());
        boxes.push(...pair.map(({ box }) => box));
      }
      const made = new Set(boxes.map(({ group }) => group)); // by the test itself
      assert.deepEqual(
        groups().filter((group) => !known.has(group) && !made.has(group)),
        [],
      );
    });
  });
}

for (const setting of SETTINGS.filter((setting) => !setting.delegated)) {
  describe(setting.name, () => {
    test('--enforce strict refuses with 125, and names the remedy', limited, async (t) => {
      const options = ['--enforce=strict', '--memory=64M', '--cpus=0.5'];
      const { code, stdout, stderr } = await runBox(t, setting, options, job('limits.sh'));
      assert.equal(code, 125, stderr);
      assert.equal(stdout, '', 'the job has not started');
      assert.match(stderr, /memory/);
      assert.match(stderr, /EACCES|EPERM|EROFS/);
      assert.match(stderr, /systemd-run|Delegate|administrator|docs\/limits\.md/);
    });

    test('best effort warns once about each limit and runs the job', limited, async (t) => {
      const { code, stdout, stderr } = await runBox(t, setting, ['--memory=64M', '--cpus=0.5'], job('limits.sh'));
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^ready$/m);
      // The start line names the limits, too.
      const lines = stderr.split('\n').filter((line) => !line.includes(' started in box '));
      for (const name of ['memory', 'cpus']) {
        assert.equal(lines.filter((line) => new RegExp(`\\b${name}\\b`).test(line)).length, 1, `${name} in ${stderr}`);
      }
    });
  });
}

/** A box with limits whose job runs until somebody ends it. */
async function limitedBox(t: Context, setting: Setting): Promise<Box> {
  const box = startBox(t, setting, ['--memory=64M', '--pids=20'], job('limits.sh', 'stay'));
  await box.says('ready\n');
  return box;
}

async function ended(box: Box) {
  kill(box.pid, 'SIGTERM');
  await box.done;
  await box.allGone();
}

function groupOfJob(box: Box): string {
  const group = table(box.stdout()).get('group');
  assert.ok(group !== undefined, box.stdout());
  return group;
}

/** Groups below the one that the wrapper was started in. */
function groupsOf(box: Box): string[] {
  return groups().filter((group) => group.startsWith(`${box.group}/`));
}

/** First word to the rest of each line. */
function table(text: string): ReadonlyMap<string, string> {
  const rows = text.split('\n').map((line) => /^(\S+)\s+(.*)$/.exec(line));
  return new Map(rows.flatMap((row) => (row === null ? [] : [[row[1]!, row[2]!] as const])));
}
