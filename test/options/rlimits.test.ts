import fc from 'fast-check';
import t from 'tap';
import { SpecError } from '../../src/errors.js';
import {
  isRlimitName,
  mergeRlimits,
  parseRlimit,
  parseRlimits,
  parseRlimitValue,
  RLIMITS,
} from '../../src/options/rlimits.js';

const NAMES =
  'as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack';

t.test('a limit has a soft half, a hard half, or both', async (t) => {
  const cases: [string, object][] = [
    ['nofile=1024:4096', { name: 'nofile', soft: 1024, hard: 4096 }],
    ['nofile=1024', { name: 'nofile', soft: 1024, hard: 1024 }],
    ['nofile=1024:', { name: 'nofile', soft: 1024 }],
    ['nofile=:4096', { name: 'nofile', hard: 4096 }],
    ['core=unlimited', { name: 'core', soft: 'unlimited', hard: 'unlimited' }],
    ['core=0:infinity', { name: 'core', soft: 0, hard: 'unlimited' }],
    ['as=4G', { name: 'as', soft: 2 ** 32, hard: 2 ** 32 }],
    ['stack=8M:64M', { name: 'stack', soft: 2 ** 23, hard: 2 ** 26 }],
    ['cpu=90', { name: 'cpu', soft: 90, hard: 90 }],
    ['cpu=1h:1h30m', { name: 'cpu', soft: 3600, hard: 5400 }],
    ['cpu=1500ms', { name: 'cpu', soft: 2, hard: 2 }],
    ['rttime=500ms', { name: 'rttime', soft: 500_000, hard: 500_000 }],
    ['rttime=500', { name: 'rttime', soft: 500, hard: 500 }],
  ];
  for (const [text, request] of cases) t.strictSame(parseRlimit(text), request, text);
});

t.test('there are the 16 resources of prlimit(1)', async (t) => {
  t.equal(Object.keys(RLIMITS).join(', '), NAMES);
  t.ok(isRlimitName('nofile'));
  t.notOk(isRlimitName('constructor'));
  for (const name of Object.keys(RLIMITS)) t.strictSame(parseRlimit(`${name}=:1`), { name, hard: 1 });
});

t.test('several stand in one text, the last of a resource counts, whole', async (t) => {
  t.strictSame(parseRlimits('nofile=1:2, core=0,nofile=:9'), [
    { name: 'nofile', hard: 9 },
    { name: 'core', soft: 0, hard: 0 },
  ]);
  t.strictSame(mergeRlimits([]), []);
});

t.test('every fault has its own message', async (t) => {
  const cases: [string, string][] = [
    ['nofile', '"nofile" is not a limit: expected <resource>=<soft>:<hard>, for example "nofile=1024:4096"'],
    ['nofiles=1', `"nofiles" is not a resource: expected one of ${NAMES}; did you mean "nofile"?`],
    ['RLIMIT_CORE=1', `"RLIMIT_CORE" is not a resource: expected one of ${NAMES}; did you mean "core"?`],
    ['__proto__=1', `"__proto__" is not a resource: expected one of ${NAMES}`],
    ['nofile=', 'nofile: "" is not a limit: expected <soft>:<hard>, for example "1024:unlimited"'],
    ['nofile=:', 'nofile: ":" is not a limit: expected <soft>:<hard>, for example "1024:unlimited"'],
    ['nofile=1:2:3', 'nofile: "1:2:3" is not a limit: expected <soft>:<hard>, for example "1024:unlimited"'],
    ['nofile=1K', 'nofile: "1K" is not a limit: expected a number or "unlimited", for example "1024"'],
    ['nofile=-1', 'nofile: "-1" is not a limit: expected a number or "unlimited", for example "1024"'],
    ['as=x', 'as: "x" is not a limit: expected a size or "unlimited", for example "512M"'],
    ['cpu=x', 'cpu: "x" is not a limit: expected seconds or a duration or "unlimited", for example "90"'],
    ['rttime=x', 'rttime: "x" is not a limit: expected microseconds or a duration or "unlimited", for example "500ms"'],
    [
      'nofile=99999999999999999999',
      'nofile: "99999999999999999999" is not a limit: expected a number or "unlimited", for example "1024"',
    ],
    ['nofile=2:1', 'nofile: the soft limit "2" is above the hard limit "1": for example "1:1"'],
    ['core=unlimited:1G', 'core: the soft limit "unlimited" is above the hard limit "1G": for example "1G:1G"'],
  ];
  for (const [text, message] of cases) t.throws(() => parseRlimit(text), new SpecError(message), text);
});

t.test('every pair of numbers reads back, or is refused because soft is above hard', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (soft, hard) => {
      try {
        const limit = parseRlimitValue('nproc', `${soft}:${hard}`);
        return soft <= hard && limit.soft === soft && limit.hard === hard;
      } catch (error) {
        return error instanceof SpecError && soft > hard;
      }
    }),
  );
  t.pass();
});
