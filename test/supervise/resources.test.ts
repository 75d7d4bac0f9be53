import { existsSync, readFileSync } from 'node:fs';
import type { Keeper } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { Box } from '../../src/box/box.js';
import { removeCgroup } from '../../src/cgroup/remove.js';
import { inThisProcess, runHere } from '../../src/kernel/run-task.js';
import { known } from '../../src/kernel/task.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { prepareResources } from '../../src/supervise/resources.js';
import type { Subject } from '../../src/supervise/subject.js';
import { ownGroup, withoutV1 } from '../fixtures/cgroups.js';
import { notedKeeper } from '../fixtures/life.js';
import { rawSample, row, tree, usage } from '../fixtures/samples.js';

const MIB = 2 ** 20;
let boxes = 0;

/** Groups and limits of a job that does not exist yet. */
function prepare(
  t: Test,
  spec: Partial<BoxSpec>,
  { sample, ...subject }: Partial<Subject> & Partial<Pick<Keeper, 'sample'>> = {},
  box: () => Box | undefined = () => undefined,
) {
  const { keeper, asked } = notedKeeper(sample === undefined ? {} : { sample });
  const noted = new Proxy(keeper, {
    get: (of, name) => (name === 'pid' ? process.pid : Reflect.get(of, name)),
  }) as Keeper;
  const id = `${process.pid.toString(16).padStart(16, 'f')}${(++boxes).toString(16).padStart(4, '0')}`;
  const full = {
    resources: {},
    enforce: 'best-effort',
    cgroup: 'auto',
    oomGroup: false,
    rows: 3,
    uris: [],
    report: false,
    reportFile: undefined,
    ...spec,
  } as unknown as BoxSpec;
  const whose: Subject = {
    environment: {},
    user: 'u',
    frontPid: process.pid,
    ourPids: [process.pid],
    files: () => ({ home: undefined, folder: '/', owner: null }),
    adopted: null,
    ...subject,
  };
  const make = () => {
    const input = { spec: full, boxId: id, keeper: noted, subject: whose, box, run: inThisProcess };
    const made = runHere(prepareResources(input));
    t.teardown(() => {
      made.control.stop();
      runHere(removeCgroup(made.cgroup));
    });
    return made;
  };
  return { make, id, asked, group: (controller: string, more = '') => `${ownGroup(controller)}/proc_box-${id}${more}` };
}

t.test('with --cgroup off no group is made, and sampling holds the limits that it can', async (t) => {
  const { make, asked } = prepare(t, { cgroup: 'off', resources: { memory: 64 * MIB, cpus: 1 } });
  const { cgroup, control } = make();
  t.strictSame([cgroup.dirs, asked], [[], []]);
  t.strictSame(control.warnings, [
    'memory is held by sampling only: --cgroup off',
    'cpus is not held at all: --cgroup off',
  ]);
});

t.test('when a limit that sampling holds is passed, the box gets the processes of the same walk', async (t) => {
  const rows = [row(100, 900)];
  const used: unknown[] = [];
  const walks: unknown[] = [];
  const sample: Keeper['sample'] = async (options) => {
    walks.push(options);
    return rawSample({ tree: tree({ threads: 7, rows }) });
  };
  const told = await new Promise<unknown[]>((resolve) => {
    const near = { used: (...what: unknown[]) => used.push(what), next: () => null };
    const box = { exceeded: (...what: unknown[]) => resolve(what), near } as unknown as Box;
    const resources = { pids: 5, memory: 64 * MIB };
    prepare(t, { cgroup: 'off', resources }, { sample }, () => box)
      .make()
      .control.start();
  });
  t.strictSame(told, ['pids', 7, 5, rows]);
  t.match(used, [
    ['memory', 1000],
    ['pids', 7],
  ]);
  t.strictSame(walks, [{ files: [], walk: true, rows: 3 }], 'one walk for both');
});

t.test('CPU time includes that of processes that the keeper has reaped', async (t) => {
  const told = await new Promise<unknown[]>((resolve) => {
    const box = {
      exceeded: (...what: unknown[]) => resolve(what),
      near: { used() {}, next: () => null },
    } as unknown as Box;
    const sample = async () =>
      rawSample({
        usage: usage({ userUsec: 200_000, systemUsec: 50_000 }),
        tree: tree({ userUsec: 3_000_000, systemUsec: 1_000_000 }),
      });
    prepare(t, { cgroup: 'off', resources: { 'cpu-time': 3500 } }, { sample }, () => box)
      .make()
      .control.start();
  });
  t.match(told, ['cpu-time', 4250, 3500]);
});

const V1 = { skip: withoutV1('memory', 'pids') };

t.test('limits are in force when it returns, and the keeper got the clean-up steps before', V1, async (t) => {
  const { make, asked, group } = prepare(
    t,
    { resources: { memory: 64 * MIB } },
    { environment: { SLURM_JOB_ID: '77' } },
  );
  const { cgroup, control } = make();
  const dir = group('memory', '-77.batch');
  t.ok(cgroup.dirs.includes(dir), 'its name has the job');
  t.equal(readFileSync(`${dir}/memory.limit_in_bytes`, 'utf8'), `${64 * MIB}\n`);
  t.match(control.limits.get('memory'), { value: 64 * MIB, enforcement: 'cgroup1' });
  t.ok(asked.some(([name, steps]) => name === 'cleanup' && JSON.stringify(steps).includes(dir)));
});

t.test('if --enforce strict cannot be met, no group stays', V1, async (t) => {
  const { make, group } = prepare(t, { enforce: 'strict', resources: { memory: 64 * MIB, 'memory-high': 32 * MIB } });
  t.throws(make, { name: 'EnvironmentError', message: /memory-high/ });
  t.notOk(existsSync(group('memory')));
});

t.test('processes to be adopted go back to their own groups', V1, async (t) => {
  const joined: string[] = [];
  const join = (procs: string) => {
    joined.push(procs);
    return known<string | null>(null);
  };
  const adopted = { pid: process.pid, join, detached: false };
  const { make, group } = prepare(
    t,
    { enforce: 'strict', resources: { memory: 64 * MIB, 'memory-high': 32 * MIB } },
    { adopted },
  );
  t.throws(make, { name: 'EnvironmentError' });
  t.equal(joined.filter((path) => path === `${group('memory')}/cgroup.procs`).length, 1);
  t.equal(joined.at(-1)?.includes('proc_box-'), false, 'and back');
  t.ok(joined.includes(`${ownGroup('memory')}/cgroup.procs`));
  t.notOk(existsSync(group('memory')));
});
