import t from 'tap';
import { reportText } from '../../../src/observe/report/text.js';
import { widthOf } from '../../../src/observe/terminal/cells.js';
import { PLAIN } from '../../../src/observe/terminal/look.js';
import { facts, GIB, HOUR, report } from '../../fixtures/facts.js';

const text = (found: ReturnType<typeof report>, more = {}) =>
  reportText(found, { look: PLAIN, by: undefined, all: false, ...more });

t.test('one box: how it ended, use against request, limits, remarks', async (t) => {
  const all = text(
    report({
      cores: 16,
      cpuSec: 1.2 * 3600,
      memoryLimitBytes: 64 * GIB,
      memoryPeakBytes: 3.1 * GIB,
      reason: 'oom',
      oomKills: 2,
      exitStatus: 137,
      signal: 'SIGKILL',
      why: 'out of memory: x',
    }),
  );
  for (const line of [
    /^Job 1234 of alice: 1 box on 1 node \(slurm, c1, short\)$/m,
    /^ {2}ended +oom \(SIGKILL\), exit status 137: out of memory: x$/m,
    /^ {2}time +1 h of 2 h \(50 %\)$/m,
    /^ {2}CPU +1\.2 of 16 cores on average \(7\.5 %\), 1 h 12 min of CPU time$/m,
    /^ {2}idle CPUs +15 of 16 cores on average$/m,
    /^ {2}memory +3\.1 GiB of 64 GiB \(4\.8 %\): 60\.9 GiB never used$/m,
    /^ {2}OOM +2 processes killed by the kernel$/m,
    /^ {2}memory +4 GiB +3 GiB +75 {2}cgroup2 \(command line\)$/m,
    /^ {2}! memory ran out/m,
  ])
    t.match(all, line);
  t.notMatch(all, /BOXES/, 'no table for one node');
});

t.test('many nodes: a table with a row for each, and tasks of an array', async (t) => {
  const many = report(...['n1', 'n2', 'n10'].map((host) => ({ cores: 4, identity: { host } })));
  t.match(text(many), /^ {2}NODE +BOXES +CORES USED\/ASKED/m);
  t.match(text(many), /^ {2}n1 .*\n {2}n2 .*\n {2}n10 +1 +1\/4 +25 +3 GiB\/4 GiB +75 +1 h$/m);
  t.match(text(many, { by: 'box' }), /^ {2}1234 n10 /m);
  t.match(text(many), /the peaks of\s+all boxes together 9 GiB/);
  const array = report(...[1, 2].map((task) => ({ identity: { job: `1234_${task}` } })));
  t.match(text(array), /^Job 1234 of alice, 2 array tasks: 2 boxes on 1 node/m);
  t.match(text(array), /^ {2}1234_2 /m);
});

t.test('a long table is cut, unless all of it is asked for', async (t) => {
  const many = report(...Array.from({ length: 50 }, (_, index) => ({ identity: { host: `n${index}` } })));
  t.match(text(many), '... and 18 more; --all shows them');
  t.notMatch(text(many, { all: true }), 'more;');
});

t.test('no line is longer than 80 columns, whatever the fields hold', async (t) => {
  const limits = Object.fromEntries(
    [...Array(3)].map((_, index) => [
      `limit${index}`,
      {
        value: 'x'.repeat(99),
        hard: 1e300,
        unit: 'foo\x1b',
        enforcement: '\x1b[31m',
        source: 'y'.repeat(99),
        used: 1e300,
      },
    ]),
  );
  const odd = {
    cpuSec: 1e300,
    memoryPeakBytes: 1e300,
    elapsedMs: 1e15,
    why: `\x1b]0;x\x07${'z'.repeat(500)}`,
    reason: '\n\n',
    limits,
    identity: { user: '\u6f22'.repeat(99), host: 'a\x1b[2Jb', queue: '\u202e' },
  };
  for (const look of [PLAIN, { utf8: true, color: false, bare: true } as const]) {
    const all = reportText(report(odd, { ...odd, identity: { ...odd.identity, host: 'n2' } }), {
      look,
      by: 'box',
      all: true,
    });
    t.notMatch(all, /[^\P{Cc}\n]|\u202e/u);
    for (const line of all.split('\n')) t.ok(widthOf(line) <= 100, `${widthOf(line)}: ${line}`);
  }
});

t.test('a running box', async (t) => {
  const all = text(report({ ended: false, reason: 'running', state: 'running', exitStatus: null }));
  t.match(all, /^ {2}ended +still running$/m);
});

t.test('colours only where they are wanted', async (t) => {
  const found = report({ reason: 'oom', oomKills: 1 });
  t.notMatch(text(found), '\x1b');
  t.match(reportText(found, { look: { utf8: true, color: true }, by: undefined, all: false }), '\x1b[1;31m');
  t.ok(facts().elapsedMs === HOUR);
});
