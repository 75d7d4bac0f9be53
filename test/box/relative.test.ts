import t from 'tap';
import { changedValue, isRelative } from '../../src/box/relative.js';
import type { LimitStatus } from '../../src/model/sample.js';
import type { LimitRow } from '../../src/options/table/limit.js';
import { LIMITS } from '../../src/options/table/limits.js';

const rows: Readonly<Record<string, LimitRow>> = LIMITS;

const timeout: LimitStatus = { value: 600_000, unit: 'ms', enforcement: 'timer' };
const memory: LimitStatus = { value: 4 * 2 ** 30, unit: 'bytes', enforcement: 'cgroup2' };
const pids: LimitStatus = { value: 100, unit: 'count', enforcement: 'watchdog' };
const cpus: LimitStatus = { value: 0.1, unit: 'cpus', enforcement: 'cgroup1' };
const nofile: LimitStatus = { value: 1024, hard: 4096, unit: 'count', enforcement: 'rlimit' };
const core: LimitStatus = { value: 0, hard: 'unlimited', unit: 'bytes', enforcement: 'rlimit' };
const cpu: LimitStatus = { value: 60, hard: 'unlimited', unit: 'seconds', enforcement: 'rlimit' };
const swap: LimitStatus = { value: 2 ** 20, unit: 'bytes', enforcement: 'cgroup2' };

t.test('a sign makes it a change of the limit in force', async (t) => {
  t.ok(isRelative('+3s') && isRelative('-3s'));
  t.notOk(isRelative('3s') || isRelative('') || isRelative('unlimited'));
  const cases: readonly (readonly [string, string, LimitStatus, string])[] = [
    ['timeout', '+3s', timeout, '603000ms'],
    ['timeout', '-9m', timeout, '60000ms'],
    ['timeout', '+30', timeout, '630000ms'],
    ['timeout', '+1-00', timeout, '87000000ms'],
    ['timeout', '+1:00', timeout, '660000ms'],
    ['timeout', '+1us', timeout, '600000.001ms'],
    ['timeout', '+0', timeout, '600000ms'],
    ['memory', '+512M', memory, `${4.5 * 2 ** 30}`],
    ['memory', '-1G', memory, `${3 * 2 ** 30}`],
    ['pids', '+10', pids, '110'],
    ['cpus', '+0.2', cpus, '0.3'],
    ['nofile', '+1024', nofile, '2048:'],
    ['nofile', '+3072', nofile, '4096:'],
    ['nofile', '-1024', nofile, '0:'],
    ['core', '+1M', core, '1048576:'],
    ['cpu', '+1m', cpu, '120:'],
    ['swap', '-1M', swap, '0'],
  ];
  for (const [name, text, now, expected] of cases)
    t.equal(changedValue(name, text, now, rows[name]), expected, `${name} ${text}`);
});

t.test('a change that cannot be is refused', async (t) => {
  const cases: readonly (readonly [string, string, LimitStatus | undefined, RegExp])[] = [
    ['timeout', '+3s', { ...timeout, value: 'unlimited' }, /timeout has no limit that "\+3s" could change/],
    ['timeout', '-3s', { ...timeout, value: 'unlimited' }, /has no limit that/],
    ['memory', '+1G', undefined, /memory has no limit that/],
    ['timeout', '-10m', timeout, /timeout is 10 min now: "-10m" would leave nothing of it/],
    ['timeout', '-1h', timeout, /would leave nothing/],
    ['pids', '-101', pids, /would leave nothing/],
    ['pids', '-100', pids, /would leave nothing/],
    ['memory', '-4G', memory, /would leave nothing/],
    ['memory-high', '-4G', memory, /would leave nothing/],
    ['cpus', '-0.1', cpus, /would leave nothing/],
    ['cpus', '-0.3', { ...cpus, value: 0.1 + 0.2 }, /would leave nothing/],
    ['cpu-time', '-10m', timeout, /would leave nothing/],
    ['stdoutlimit', '-4G', memory, /would leave nothing/],
    ['nofile', '-1025', nofile, /would leave nothing/],
    ['nofile', '+3073', nofile, /nofile would be 4097, above its hard limit of 4096: give both/],
    ['cpuset', '+1', { value: '0-3', unit: 'list', enforcement: 'cgroup1' }, /cpuset is a list/],
    ['timeout', '+', timeout, /"\+" is not a valid change of timeout: "" is not a time limit/],
    ['timeout', '++3s', timeout, /"\+\+3s" is not a valid change of timeout/],
    ['timeout', '+-3s', timeout, /not a valid change of timeout/],
    ['timeout', '+unlimited', timeout, /not a valid change of timeout/],
    ['memory', '+1X', memory, /"\+1X" is not a valid change of memory: "1X" is not a size/],
    ['memory', '+-1G', memory, /not a valid change of memory/],
    ['pids', '+1.5', pids, /not a valid change of pids/],
    ['cpus', '+1e3', cpus, /not a valid change of cpus/],
    ['nofile', '+10:20', nofile, /not a valid change of nofile/],
  ];
  for (const [name, text, now, message] of cases)
    t.throws(() => changedValue(name, text, now, rows[name]), { name: 'SpecError', message }, `${name} ${text}`);
});
