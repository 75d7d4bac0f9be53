import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { prlimit, type RlimitName } from 'cgroup-utils-native';
import t from 'tap';
import { RLIMITS } from '../../src/options/rlimits.js';

/** Rows of proc_pid_limits(5); the unit of each is that of setrlimit(2). */
const ROWS: Readonly<Record<RlimitName, string>> = {
  as: 'Max address space',
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};
const names = Object.keys(ROWS) as RlimitName[];

function seen(pid: number, name: RlimitName) {
  const row = readFileSync(`/proc/${pid}/limits`, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(ROWS[name]))!;
  const [soft, hard] = row
    .slice(26)
    .trim()
    .split(/\s+/)
    .map((word) => (word === 'unlimited' ? word : Number(word)));
  return { soft, hard };
}

const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
t.teardown(() => child.kill('SIGKILL'));
const pid = child.pid!;

t.test('reads all 16 limits of itself and of another process', async (t) => {
  t.strictSame(names.sort(), (Object.keys(RLIMITS) as RlimitName[]).sort());
  for (const name of names) {
    t.strictSame(prlimit(process.pid, name), seen(process.pid, name), name);
    t.strictSame(prlimit(pid, name), seen(pid, name), name);
  }
});

t.test('lowers all 16 limits of another process and returns what was in force', async (t) => {
  for (const name of names) {
    const before = seen(pid, name);
    const top = before.hard === 'unlimited' ? 2 ** 40 : before.hard!;
    const wanted = { soft: Math.floor(Number(top) / 4), hard: Math.floor(Number(top) / 2) };
    t.strictSame(prlimit(pid, name, wanted), before, name);
    t.strictSame(seen(pid, name), wanted, name);
  }
});

t.test('sets one half and keeps the other; soft follows a lower hard', async (t) => {
  prlimit(pid, 'nofile', { soft: 100, hard: 200 });
  prlimit(pid, 'nofile', { soft: 150 });
  t.strictSame(seen(pid, 'nofile'), { soft: 150, hard: 200 });
  prlimit(pid, 'nofile', { hard: 120 });
  t.strictSame(seen(pid, 'nofile'), { soft: 120, hard: 120 });
});

t.test("errors have the fields of Node's own", async (t) => {
  t.throws(() => prlimit(2 ** 22 + 1, 'nofile'), { code: 'ESRCH', errno: -3, syscall: 'prlimit' });
  t.throws(() => prlimit(pid, 'nofile', { soft: 100, hard: 50 }), { code: 'EINVAL', syscall: 'prlimit' });
});

t.test('raising a hard limit works with CAP_SYS_RESOURCE and is EPERM without', async (t) => {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1];
  const may = (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
  const raise = () => prlimit(pid, 'nofile', { hard: 130 });
  if (may) {
    raise();
    t.equal(seen(pid, 'nofile').hard, 130);
  } else {
    t.throws(raise, { code: 'EPERM' });
    t.equal(seen(pid, 'nofile').hard, 120);
  }
});
