import t from 'tap';
import {
  createResourceControl,
  type ResourceControl,
  type ResourceControlOptions,
} from '../../src/box/resource-control.js';
import { noCgroup } from '../../src/cgroup/none.js';
import type { BoxCgroup, CgroupValue } from '../../src/cgroup/types.js';
import type { CgroupUsage, MemoryUsage, PidsUsage } from '../../src/cgroup/usage.js';
import { EnvironmentError } from '../../src/errors.js';
import { inThisProcess, runHere } from '../../src/kernel/run-task.js';
import { known } from '../../src/kernel/task.js';
import { type CgroupLimitName, resourceNames } from '../../src/options/table/limits.js';

/** Control groups that hold what they are told, or what the test says. */
function groups(more: Partial<BoxCgroup> = {}) {
  const inForce = new Map<CgroupLimitName, CgroupValue>();
  const made: BoxCgroup = {
    ...noCgroup(''),
    holds: () => ({ mechanism: 'cgroup1' }),
    set: (name, value) => {
      inForce.set(name, value);
      return known(value);
    },
    inForce: (name) => known(inForce.get(name) ?? null),
    ...more,
  };
  return { made, inForce };
}

const none = noCgroup('--cgroup off');

function control(more: Partial<ResourceControlOptions> = {}): ResourceControl {
  const made = createResourceControl({
    resources: {},
    enforce: 'best-effort',
    cgroup: none,
    host: { allowedCpus: () => known('0-3') },
    run: inThisProcess,
    sample: () => Promise.reject(new Error('no keeper in this test')),
    look: async () => ({ watched: { memory: 0, pids: 0, 'cpu-time': 0 }, costMs: 0 }),
    onExceeded: () => {},
    onUsed: () => {},
    nextUsed: () => null,
    ...more,
  });
  return runHere(made);
}

const usage = (memory: Partial<MemoryUsage> | null, pids: Partial<PidsUsage> | null = null) =>
  ({ memory, pids, cpu: null, io: null }) as CgroupUsage;

t.test('limits are in force at once, and what is held weaker is told', async (t) => {
  const { made, inForce } = groups();
  const held = control({ resources: { memory: 100, pids: 5 }, cgroup: made });
  t.strictSame([...held.limits.keys()], ['memory', 'pids']);
  t.strictSame(held.warnings, []);
  t.equal(inForce.get('swap'), 0, 'memory without a word on swap has none');
  const weaker = control({ resources: { memory: 100, cpus: 1 } });
  t.strictSame(weaker.warnings, [
    'memory is held by sampling only: --cgroup off',
    'cpus is not held at all: --cgroup off',
  ]);
  t.throws(() => control({ resources: { memory: 100, cpus: 1 }, enforce: 'strict' }), {
    name: 'EnvironmentError',
    message:
      'memory is held by sampling only: --cgroup off; cpus is not held at all: --cgroup off; --enforce best-effort starts the job anyway',
  });
});

t.test('a limit may be changed while the box runs', async (t) => {
  const { made, inForce } = groups();
  const one = control({ resources: { memory: 2 ** 20 }, cgroup: made });
  const cases: readonly (readonly [Parameters<ResourceControl['change']>[0], string, CgroupValue])[] = [
    ['memory', '2M', 2 ** 21],
    ['memory-high', '1M', 2 ** 20],
    ['swap', '1M', 2 ** 20],
    ['cpus', '1.5', 1.5],
    ['cpu-weight', '250', 250],
    ['cpuset', '0,1', '0-1'],
    ['pids', '7', 7],
    ['pids', '0', 'unlimited'],
  ];
  for (const [name, text, value] of cases) {
    t.match(await one.change(name, text), { value, enforcement: 'cgroup1' }, `${name} ${text}`);
    t.equal(inForce.get(name as CgroupLimitName), value);
  }
  await one.change('memory', '4M');
  t.equal(inForce.get('swap'), 2 ** 20, 'swap that was asked for is held again');
  t.match(await one.change('cpu-time', '1m'), { value: 60_000, enforcement: 'watchdog' });
  t.match(await one.change('cpu-time', '0'), { value: 'unlimited' });
  await t.rejects(one.change('cpu-weight', '0'), { name: 'SpecError' });
  await t.rejects(one.change('memory', 'much'), { name: 'SpecError', message: /"much" is not a size/ });
  one.stop();
});

t.test('a change that nothing can hold is refused; one by sampling is not, unless it is to be strict', async (t) => {
  const one = control();
  await t.rejects(one.change('cpus', '1'), {
    name: 'EnvironmentError',
    message: 'cpus is not held at all: --cgroup off',
  });
  t.match(await one.change('pids', '5'), { enforcement: 'watchdog' });
  one.stop();
  await t.rejects(control({ enforce: 'strict' }).change('pids', '5'), {
    name: 'EnvironmentError',
    message: 'pids is held by sampling only: --cgroup off',
  });
});

t.test('what the kernel holds is read again after a change', async (t) => {
  const { made, inForce } = groups();
  const one = control({ resources: { memory: 100, pids: 5, 'cpu-time': 5 }, cgroup: made });
  t.equal((await one.reread()).size, 0);
  inForce.set('memory', 4096);
  inForce.delete('pids');
  t.match([...(await one.reread())], [['memory', { value: 4096 }]]);
  t.match(one.limits.get('memory'), { value: 4096 });
  t.match(one.limits.get('pids'), { value: 5 }, 'what cannot be read stays');
});

t.test('what the kernel did is told once', async (t) => {
  const one = control();
  t.strictSame(one.incidents(usage({ oomKills: 2, peakBytes: 7 }, { refused: 3 })), {
    oomKills: 2,
    forksRefused: 3,
    memoryPeakBytes: 7,
  });
  t.strictSame(one.incidents(usage({ oomKills: 3 }, { refused: 3 })), {
    oomKills: 1,
    forksRefused: 0,
    memoryPeakBytes: null,
  });
  const nothing = { oomKills: 0, forksRefused: 0, memoryPeakBytes: null };
  t.strictSame(one.incidents(null), nothing, 'a counter that cannot be read stays where it was');
  t.strictSame(one.incidents(usage({ oomKills: 3 })), nothing);
});

t.test('a group that cannot be read any more is told of once', async (t) => {
  const one = control({ resources: { memory: 100, pids: 5, cpus: 1 }, cgroup: groups().made });
  one.incidents(usage({}, {}));
  t.strictSame(one.lost(), []);
  one.incidents(usage({}, null));
  t.strictSame(one.lost(), ['pids may no longer be held: its cgroup1 group cannot be read']);
  one.incidents(null);
  t.strictSame(one.lost(), ['memory may no longer be held: its cgroup1 group cannot be read']);
  t.strictSame(one.lost(), []);
});

t.test('a limit below the kernel is watched from the launch on', async (t) => {
  const alive = setInterval(() => {}, 1000);
  const exceeded = await new Promise((resolve) => {
    const one = control({
      resources: { pids: 5 },
      look: async () => ({ watched: { pids: 6 }, costMs: 0 }),
      onExceeded: (...found) => {
        one.stop();
        resolve(found);
      },
    });
    one.start();
  });
  clearInterval(alive);
  t.strictSame(exceeded, ['pids', 6, 5]);
});

t.test('set_limit may name the limits of a box as a whole', async (t) => {
  const names: readonly string[] = resourceNames();
  for (const name of ['memory', 'cpu-time', 'io-max']) t.ok(names.includes(name), name);
  for (const name of ['timeout', 'nofile', '']) t.notOk(names.includes(name), name);
  const bug = new EnvironmentError('x');
  t.throws(
    () =>
      control({
        host: {
          allowedCpus: () => {
            throw bug;
          },
        },
        resources: { cpuset: '0' },
      }),
    bug,
  );
});
