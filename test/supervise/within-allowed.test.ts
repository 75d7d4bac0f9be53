import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { prlimit } from 'cgroup-utils-native';
import t, { type Test } from 'tap';
import type { BoxSpec } from '../../src/options/spec.js';
import { cutRlimit, tryInKeeper, tryOn, withinAllowed } from '../../src/supervise/within-allowed.js';

function spec(more: Partial<BoxSpec> = {}): BoxSpec {
  return {
    rlimits: [],
    stdoutMaxBytes: 0,
    limitSources: {},
    enforce: 'best-effort',
    enforceAsked: false,
    ...more,
  } as unknown as BoxSpec;
}

/** A process with limits of its own. */
async function subject(t: Test): Promise<number> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  t.teardown(() => child.kill('SIGKILL'));
  return child.pid!;
}

t.test('a limit within what is allowed stays as it was asked for', async (t) => {
  const pid = await subject(t);
  prlimit(pid, 'nofile', { soft: 100, hard: 200 });
  for (const request of [
    { name: 'nofile', soft: 50 },
    { name: 'nofile', soft: 50, hard: 100 },
    { name: 'nofile', hard: 200 },
    { name: 'nofile', soft: 200 },
  ] as const)
    t.strictSame(tryOn(pid, cutRlimit(request)), { allowed: request, warning: null });
  t.strictSame(prlimit(pid, 'nofile'), { soft: 100, hard: 200 }, 'and nothing was changed');
});

t.test('a soft limit is cut to the hard one', async (t) => {
  const pid = await subject(t);
  prlimit(pid, 'nofile', { soft: 100, hard: 200 });
  t.strictSame(tryOn(pid, cutRlimit({ name: 'nofile', soft: 'unlimited' })), {
    allowed: { name: 'nofile', soft: 200 },
    warning:
      '--rlimit nofile=unlimited: is cut to 200:: raising a hard limit above 200 needs CAP_SYS_RESOURCE (--enforce best-effort)',
  });
});

t.test('a hard limit that the kernel does not raise is cut', async (t) => {
  const pid = await subject(t);
  const now = prlimit(pid, 'nofile');
  // Above fs.nr_open nobody may raise it, root neither.
  t.match(tryOn(pid, cutRlimit({ name: 'nofile', soft: 10, hard: 'unlimited' })), {
    allowed: { name: 'nofile', soft: 10, hard: now.hard },
    warning: `--rlimit nofile=10:unlimited is cut to 10:${now.hard}: raising a hard limit above ${now.hard} needs CAP_SYS_RESOURCE`,
  });
  t.strictSame(prlimit(pid, 'nofile'), now);
});

t.test('rlimits are cut where best effort was asked for by name', async (t) => {
  const pid = await subject(t);
  prlimit(pid, 'nofile', { soft: 100, hard: 200 });
  const rlimits: BoxSpec['rlimits'] = [{ name: 'nofile', soft: 'unlimited' }];
  const cut = (more: Partial<BoxSpec>) =>
    tryOn(pid, withinAllowed({ spec: spec({ rlimits, ...more }), warnings: ['w'] }, 'pipe'));
  t.match(cut({ enforceAsked: true }), { spec: { rlimits: [{ soft: 200 }] }, warnings: ['w', /is cut to 200/] });
  t.match(cut({}), { spec: { rlimits: [{ soft: 'unlimited' }] }, warnings: ['w'] });
  t.match(cut({ enforceAsked: true, enforce: 'strict' }), {
    spec: { rlimits: [{ soft: 'unlimited' }] },
    warnings: ['w'],
  });
});

t.test('a limit of stdout that nobody counts is told to who has asked for it', async (t) => {
  const limited = (mode: 'pipe' | 'file' | 'terminal' | 'other', source: string, more: Partial<BoxSpec> = {}) =>
    tryOn(
      process.pid,
      withinAllowed(
        {
          spec: spec({ stdoutMaxBytes: 5, limitSources: { stdoutlimit: source } as BoxSpec['limitSources'], ...more }),
          warnings: [],
        },
        mode,
      ),
    ).warnings;
  const why = (what: string) =>
    `--stdoutlimit has no effect: stdout is ${what}, and output to it is not counted; redirect it to a file or a pipe`;
  t.strictSame(limited('terminal', 'command line'), [why('a terminal')]);
  t.strictSame(limited('other', 'environment'), [why('a device')]);
  for (const mode of ['pipe', 'file'] as const) t.strictSame(limited(mode, 'command line'), []);
  for (const source of ['config file', 'default']) t.strictSame(limited('terminal', source), [], source);
  t.strictSame(limited('terminal', 'command line', { stdoutMaxBytes: 0 }), []);
  t.throws(() => limited('terminal', 'command line', { enforce: 'strict' }), {
    name: 'EnvironmentError',
    message: `${why('a terminal')} (--enforce strict)`,
  });
});

t.test('a keeper that waits for the start is asked in the same way', async (t) => {
  const asked: unknown[] = [];
  const keeper = {
    rlimit: async (name: string, limit: object) => {
      asked.push([name, limit]);
      const refused = 'hard' in limit;
      return {
        changed: refused ? 0 : 1,
        failed: refused ? 1 : 0,
        errno: 1,
        code: 'EPERM',
        limit: { soft: 100, hard: 200 },
      };
    },
  };
  t.match(await tryInKeeper(keeper, cutRlimit({ name: 'nofile', hard: 300 })), {
    allowed: { name: 'nofile', hard: 200 },
    warning: /is cut to :200/,
  });
  t.strictSame(asked, [
    ['nofile', {}],
    ['nofile', { hard: 300 }],
  ]);
});
