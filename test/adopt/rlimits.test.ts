import t from 'tap';
import { setRlimits } from '../../src/adopt/rlimits.js';
import type { BoxSpec } from '../../src/options/spec.js';
import { notedKeeper } from '../fixtures/life.js';

const WANTED = { name: 'nofile', soft: 100, hard: 200 } as const;
const spec = (more: Partial<BoxSpec> = {}) =>
  ({ rlimits: [WANTED], enforce: 'best-effort', enforceAsked: false, ...more }) as BoxSpec;

/** A keeper that refuses hard limits above 150. */
function keeperOf(code = 'EPERM') {
  const rlimit = (_: string, limit: { hard?: number }) => {
    const refused = (limit.hard ?? 0) > 150;
    return { changed: 1, failed: refused ? 1 : 0, code: refused ? code : '', limit: { soft: 50, hard: 150 } };
  };
  return notedKeeper({ rlimit });
}

t.test('each limit is set for every process that the keeper holds', async (t) => {
  const { keeper, asked } = notedKeeper({ rlimit: () => ({ failed: 0 }) });
  t.strictSame(await setRlimits(keeper, 7, spec()), { rlimits: [WANTED], warnings: [] });
  t.strictSame(asked, [['rlimit', 'nofile', { soft: 100, hard: 200 }]]);
});

t.test('one that is refused is told with its remedy', async (t) => {
  await t.rejects(setRlimits(keeperOf().keeper, 7, spec()), {
    name: 'EnvironmentError',
    message: /^set --rlimit nofile=100:200 of 7: EPERM; raising a hard limit/,
  });
  await t.rejects(setRlimits(keeperOf('EINVAL').keeper, 7, spec({ enforceAsked: true })), {
    message: /of 7: EINVAL; `man setrlimit` tells the range$/,
  });
});

t.test('with an explicit --enforce best-effort it is cut to what is allowed', async (t) => {
  const { rlimits, warnings } = await setRlimits(keeperOf().keeper, 7, spec({ enforceAsked: true }));
  t.strictSame(rlimits, [{ name: 'nofile', soft: 100, hard: 150 }]);
  t.match(warnings, [/^--rlimit nofile=100:200 is cut to 100:150: raising a hard limit above 150 needs/]);
  await t.rejects(setRlimits(keeperOf().keeper, 7, spec({ enforceAsked: true, enforce: 'strict' })), /EPERM/);
});
