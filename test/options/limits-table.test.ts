import t from 'tap';
import { changeOf, type LimitRow } from '../../src/options/table/limit.js';
import { LIMITS, type LimitName } from '../../src/options/table/limits.js';

const change = (name: LimitName, text: string) => changeOf(LIMITS[name] as LimitRow, text);

for (const [name, text, value] of [
  ['timeout', '1h', 3_600_000],
  ['timeout', '0', 'unlimited'],
  ['stdoutlimit', '1.5GiB', 1.5 * 2 ** 30],
  ['stdoutlimit', '0', 'unlimited'],
  ['memory', '512M', 512 * 2 ** 20],
  ['memory', '0', 'unlimited'],
  ['swap', '0', 0],
  ['cpu-time', '0', 'unlimited'],
  ['cpu-weight', '100', 100],
  ['cpuset', '0,1', '0-1'],
] as const) {
  t.equal(change(name, text), value, `set_limit ${name} ${text}`);
}

for (const [name, text] of [
  ['timeout', 'scheduler'],
  ['timeout', 'soon'],
  ['timeout', '-1s'],
  ['stdoutlimit', '-5'],
  ['cpu-weight', '0'],
] as const) {
  t.throws(() => change(name, text), { name: 'SpecError' }, `set_limit ${name} ${text} is refused`);
}

t.test('memory comes before swap, which v1 counts on top of it', async (t) => {
  const names = Object.keys(LIMITS);
  t.ok(names.indexOf('memory') < names.indexOf('swap'));
});
