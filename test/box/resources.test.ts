import t from 'tap';
import {
  cgroupNames,
  disableSwap as disableSwapTask,
  displayed,
  enforce as enforceTask,
  type HostConstraints,
  restoreSwap as restoreSwapTask,
} from '../../src/box/resources.js';
import { noCgroup } from '../../src/cgroup/none.js';
import type { BoxCgroup, CgroupValue } from '../../src/cgroup/types.js';
import { EnvironmentError } from '../../src/errors.js';
import { known } from '../../src/kernel/task.js';
import type { CgroupLimitName } from '../../src/options/table/limits.js';
import { atOnce } from '../fixtures/at-once.js';

const [enforce, disableSwap, restoreSwap] = [atOnce(enforceTask), atOnce(disableSwapTask), atOnce(restoreSwapTask)];

const host: HostConstraints = { allowedCpus: () => known('0-3') };
const none = noCgroup('--cgroup off');

/** Control groups that take everything, unless they refuse. */
function groups(more: Partial<BoxCgroup> = {}) {
  const set: [CgroupLimitName, CgroupValue][] = [];
  const made: BoxCgroup = {
    ...none,
    holds: () => ({ mechanism: 'cgroup2' }),
    set: (name, value) => {
      set.push([name, value]);
      return known(value);
    },
    ...more,
  };
  return { made, set };
}

const refusing = (error: Error): Partial<BoxCgroup> => ({
  set: () => {
    throw error;
  },
});

t.test('memory comes before swap, and time is none of a control group', async (t) => {
  t.strictSame(cgroupNames({ 'cpu-time': 5, swap: 0, memory: 5, pids: 'unlimited' }), ['memory', 'swap', 'pids']);
  t.strictSame(cgroupNames({}), []);
});

t.test('a limit that the kernel holds is told as it is in force', async (t) => {
  const { made } = groups({ set: () => known<CgroupValue>(8192) });
  t.strictSame(enforce('memory', 5000, made, host), {
    status: { value: 8192, unit: 'bytes', enforcement: 'cgroup2' },
    weaker: null,
  });
});

t.test('below the kernel some are held by sampling, others not at all', async (t) => {
  const held = (name: Parameters<typeof enforce>[0], value: Parameters<typeof enforce>[1]) => {
    const { status, weaker } = enforce(name, value, none, host);
    return [status.enforcement, weaker];
  };
  t.strictSame(held('memory', 5), ['watchdog', 'memory is held by sampling only: --cgroup off']);
  t.strictSame(held('pids', 5), ['watchdog', 'pids is held by sampling only: --cgroup off']);
  t.strictSame(held('cpus', 5), ['none', 'cpus is not held at all: --cgroup off']);
  t.strictSame(held('memory', 'unlimited'), ['none', null], 'nothing was asked for');
  t.strictSame(held('cpu-time', 5), ['watchdog', null]);
});

t.test('a limit that cannot be taken away is told, since the group goes on holding it', async (t) => {
  const { made } = groups(refusing(new EnvironmentError('EBUSY')));
  t.match(enforce('memory', 'unlimited', made, host), { weaker: 'memory is held by sampling only: EBUSY' });
  const bug = new TypeError('bug');
  t.throws(() => enforce('memory', 5, groups(refusing(bug)).made, host), bug);
});

t.test('what this host cannot have is refused', async (t) => {
  t.throws(() => enforce('cpuset', '2-5', none, host), {
    name: 'SpecError',
    message: 'cpuset "2-5": CPU 4, 5 may not be used here; allowed: 0-3',
  });
  t.doesNotThrow(() => enforce('cpuset', '0-3', none, host));
  const { made } = groups({
    ceiling: () => known<{ value: number | 'unlimited'; path: string }>({ value: 2 ** 20, path: '/sys/fs/cgroup/job' }),
  });
  t.throws(() => enforce('memory', 2 ** 21, made, host), {
    name: 'SpecError',
    message: 'memory 2 MiB is above the limit around this box: at most 1 MiB (/sys/fs/cgroup/job)',
  });
  t.doesNotThrow(() => enforce('memory', 2 ** 20, made, host));
  t.doesNotThrow(() => enforce('memory', 'unlimited', made, host));
  t.throws(() => enforce('io-max', [{ target: '/no/such', rbps: 5 }], none, host), {
    name: 'SpecError',
    message: /ENOENT/,
  });
});

t.test('memory without a word on swap has none, quietly', async (t) => {
  const { made, set } = groups();
  disableSwap(made, 5);
  disableSwap(made, 'unlimited');
  restoreSwap(made, 7);
  t.strictSame(set, [
    ['swap', 0],
    ['swap', 'unlimited'],
    ['swap', 7],
  ]);
  const refused = groups(refusing(new EnvironmentError('no swap'))).made;
  t.doesNotThrow(() => disableSwap(refused, 5));
  t.doesNotThrow(() => restoreSwap(refused, 5));
  const bug = new TypeError('bug');
  t.throws(() => disableSwap(groups(refusing(bug)).made, 5), bug);
  t.throws(() => restoreSwap(groups(refusing(bug)).made, 5), bug);
});

t.test('limits of devices are told as text', async (t) => {
  t.equal(displayed(5), 5);
  t.equal(displayed('0-3'), '0-3');
  t.equal(displayed([]), 'unlimited');
  t.equal(displayed([{ device: '8:0', rbps: 'unlimited' }]), 'unlimited');
  t.equal(
    displayed([
      { device: '8:0', rbps: 5, wiops: 7 },
      { device: '8:16', rbps: 'unlimited' },
      { device: '8:32', wbps: 1 },
    ]),
    '8:0 rbps=5 wiops=7; 8:32 wbps=1',
  );
});
