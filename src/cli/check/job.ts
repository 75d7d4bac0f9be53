import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Keeper, type KeeperEvent, launchKeeper } from 'cgroup-utils-native';
import type { Hierarchies } from '../../cgroup/hierarchy.js';
import type { BoxCgroup } from '../../cgroup/types.js';
import { readFile } from '../../kernel/files.js';
import { rebuild, UNIFIED } from './remedies.js';
import { atLeast, fail, pass, type Row, warn } from './row.js';

/** Runs a temporary job in the temporary group, and does with it once what a box does. */

/** A main process, and an orphan that only a subreaper can adopt. */
const JOB = ['/bin/sh', '-c', '(sleep 60 &); exec sleep 60'];
const ANSWER_TIMEOUT_MS = 5000;
const LOOK_MS = 10;

/**
 * Launches a job, suspends, resumes and kills it.
 * @param executable path of bin/proc_box
 * @param makeCgroup called before the launch, with the job's keeper
 */
export async function checkJob(
  executable: string,
  makeCgroup: (keeper: Pick<Keeper, 'pid' | 'cleanup'>) => { cgroup: BoxCgroup; found: Hierarchies },
): Promise<Row[]> {
  const rows: Row[] = [];
  // The executable is <package>/bin/proc_box.
  const remedy = rebuild(dirname(dirname(executable)));
  if (!existsSync(executable)) return [fail('keeper', `${executable}: ENOENT`, remedy)];
  const events = new Map<KeeperEvent['type'], KeeperEvent>();
  let keeper: Keeper;
  try {
    keeper = new Keeper(launchKeeper(executable, JOB, [`PATH=${process.env['PATH'] ?? ''}`]), (event) =>
      events.set(event.type, event),
    );
  } catch (error) {
    return [fail('keeper', `${executable}: ${(error as Error).message}`, remedy)];
  }
  const comes = (type: KeeperEvent['type']) => within(() => events.get(type));
  if ((await comes('hello')) === undefined) {
    keeper.close();
    return [fail('keeper', `${executable}: does not answer`, remedy)];
  }
  const { cgroup, found } = makeCgroup(keeper);
  keeper.start({ commandIndex: 1, rlimits: [], cgroup, stdoutMaxBytes: 0 });
  const started = await within(() => events.get('started') ?? events.get('failed'));
  if (started?.type !== 'started') {
    const why = started?.type === 'failed' ? `${started.step}: ${started.code}` : 'it did not start within 5 s';
    rows.push(fail('launch', `${JOB[0]}: ${why}`, 'proc_box --cgroup off starts jobs without control groups'));
  } else {
    rows.push(pass('launch', `${executable}, pid ${started.pid}`));
    rows.push(
      ...joined(started.pid, cgroup, found),
      ...(await seen(keeper, started.pid)),
      ...(await frozen(keeper, cgroup)),
    );
    rows.push(...(await killed(keeper, cgroup, () => comes('empty'))));
  }
  keeper.finish();
  return rows;
}

/** Whether the job was born in each of its groups. */
function joined(pid: number, cgroup: BoxCgroup, { v2 }: Hierarchies): Row[] {
  const groups = readFile(`/proc/${pid}/cgroup`) ?? '';
  const dirs = [
    ...(cgroup.forkInto === null ? [] : [cgroup.forkInto]),
    ...cgroup.tasks.map((path) => path.slice(0, -'/tasks'.length)),
  ];
  if (dirs.length === 0)
    return [warn('attach', 'no group could be made: the job is in our own', 'see the limits above')];
  const names = dirs.map((dir) => dir.slice(dir.lastIndexOf('/')));
  const inside = groups.split('\n').filter((line) => names.some((name) => line.endsWith(name))).length;
  const evidence = `/proc/${pid}/cgroup: in ${inside} of ${dirs.length} groups`;
  const row =
    inside >= dirs.length
      ? pass('attach', evidence)
      : fail('attach', evidence, 'report it with the output of proc_box check --json');
  if (v2 === null || cgroup.forkInto === null) return [row];
  const clone = atLeast(release(), 5, 7)
    ? pass('clone3 into cgroup', `Linux ${release()}: the job is born in ${cgroup.forkInto}`)
    : warn(
        'clone3 into cgroup',
        `Linux ${release()}: the job moves itself, which takes 5 to 15 ms`,
        'Linux 5.7 or newer',
      );
  return [row, clone];
}

/** The orphan must become a child of the keeper, and the keeper must see both processes. */
async function seen(keeper: Keeper, pid: number): Promise<Row[]> {
  const children = `/proc/self/task/${process.pid}/children`;
  const proc = existsSync(children)
    ? pass('process children', children)
    : fail(
        'process children',
        `${children}: ENOENT`,
        'a kernel with CONFIG_PROC_CHILDREN=y; without it, samples and kills do not find the process tree',
      );
  const look = async () => (await keeper.sample({ walk: true, rows: 10 })).tree?.rows ?? [];
  let rows = await look();
  const withOrphan = () => rows.some((row) => row.pid !== pid && row.ppid === keeper.pid);
  for (const untilMs = Date.now() + 1000; !withOrphan() && Date.now() < untilMs; rows = await look()) await delay(20);
  if (withOrphan())
    return [
      proc,
      pass('subreaper', `${rows.length} processes below keeper ${keeper.pid}, the orphan among them`),
      ...visible(true),
    ];
  const visibleNow = rows.length;
  return [
    proc,
    fail('subreaper', `${visibleNow} of 2 processes seen below keeper ${keeper.pid}`, 'see hidepid'),
    ...visible(visibleNow > 0),
  ];
}

function visible(works: boolean): Row[] {
  const mounts = (readFile('/proc/self/mountinfo') ?? '').split('\n');
  // The last mount covers earlier ones.
  const line = mounts.findLast((text) => text.split(' ')[4] === '/proc' && text.includes(' - proc ')) ?? '';
  const hidepid = /\bhidepid=([^,\s]+)/.exec(line)?.[1] ?? '0';
  if (works) return [pass('hidepid', `/proc is mounted with hidepid=${hidepid}`)];
  return [
    fail(
      'hidepid',
      `/proc is mounted with hidepid=${hidepid}: it hides the keeper`,
      'mount -o remount,hidepid=0 /proc, and in /etc/fstab; or gid= with a group of these users',
    ),
  ];
}

async function frozen(keeper: Keeper, { freezer }: BoxCgroup): Promise<Row[]> {
  const how = freezer === null ? 'SIGSTOP to every process' : `cgroup v${freezer.version}, ${freezer.dir}`;
  const stopped = await bounded(keeper.suspend());
  await bounded(keeper.resume());
  if (stopped === undefined || stopped < 1)
    return [
      fail('freezer', `${how}: ${stopped ?? 'no'} processes suspended`, 'proc_box --cgroup off suspends by SIGSTOP'),
    ];
  return [
    freezer === null
      ? warn('freezer', `not available: suspend sends ${how}, which the job can see`, UNIFIED)
      : pass('freezer', how),
  ];
}

async function killed(
  keeper: Keeper,
  { killFile }: BoxCgroup,
  empty: () => Promise<KeeperEvent | undefined>,
): Promise<Row[]> {
  await bounded(keeper.kill());
  const gone = (await empty()) !== undefined;
  const kill =
    killFile === null
      ? warn(
          'cgroup.kill',
          'not available: boxes are killed process by process, in passes until no process is left',
          'Linux 5.14 or newer with cgroup v2',
        )
      : pass('cgroup.kill', killFile);
  return [
    kill,
    gone
      ? pass('kill', 'nothing was left')
      : fail(
          'kill',
          `processes were left below keeper ${keeper.pid}`,
          'report it with the output of proc_box check --json',
        ),
  ];
}

/** Files of the group with its pressure (PSI) and its peak of memory; call this before the group is removed. */
export function groupFiles({ v1 }: Hierarchies, cgroup: BoxCgroup): Row[] {
  const rows: Row[] = [];
  const psi = readFile('/proc/pressure/memory');
  if (psi === null)
    rows.push(warn('pressure (PSI)', '/proc/pressure/memory: missing or not readable', 'kernel argument psi=1'));
  else {
    const group = cgroup.pressureDir === null ? null : `${cgroup.pressureDir}/memory.pressure`;
    const own = group !== null && existsSync(group);
    rows.push(
      own
        ? pass('pressure (PSI)', group)
        : warn('pressure (PSI)', '/proc/pressure: for the host only, not for each box', UNIFIED),
    );
  }
  const by = cgroup.holds('memory');
  if (!('mechanism' in by)) rows.push(warn('memory peak', 'sampled only: short peaks are missed', 'see limit memory'));
  else if (by.mechanism === 'cgroup1')
    rows.push(pass('memory peak', `memory.max_usage_in_bytes of ${v1.get('memory')?.dir ?? ''}`));
  else if (existsSync(`${cgroup.forkInto}/memory.peak`))
    rows.push(pass('memory peak', `${cgroup.forkInto}/memory.peak`));
  else
    rows.push(
      warn(
        'memory peak',
        `${cgroup.forkInto}/memory.peak: ENOENT`,
        'Linux 5.19 or newer; until then the peak is sampled',
      ),
    );
  return rows;
}

async function within<V>(look: () => V | undefined, ms = ANSWER_TIMEOUT_MS): Promise<V | undefined> {
  for (const end = performance.now() + ms; ; ) {
    const value = look();
    if (value !== undefined || performance.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function bounded(request: Promise<number>): Promise<number | undefined> {
  let answer: number | undefined;
  request.then(
    (value) => {
      answer = value;
    },
    () => {}, // the keeper has ended, so `within` times out
  );
  return within(() => answer);
}

/** Checks the capabilities and resource limits in /proc/self, and the kernel's version. */
export function processRows(): Row[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const effective = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const evidence = `CapEff ${effective.toString(16)} in /proc/self/status`;
  const resource = (effective & (1n << 24n)) !== 0n;
  const rows = [
    resource
      ? pass('CAP_SYS_RESOURCE', evidence)
      : warn(
          'CAP_SYS_RESOURCE',
          `${evidence}: hard limits can only be lowered (--rlimit, set_limit)`,
          'start proc_box with the hard limits that jobs need: LimitNOFILE= of the service, /etc/security/limits.conf, PropagateResourceLimits of slurm.conf',
        ),
    atLeast(release(), 5, 3)
      ? pass('pidfd', `Linux ${release()}`)
      : warn('pidfd', `Linux ${release()}: processes are signalled by pid`, 'Linux 5.3 or newer'),
  ];
  const limits = readFile('/proc/self/limits') ?? '';
  const hard = (row: string) => new RegExp(`^${row}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1] ?? 'unknown';
  const space = hard('Max address space');
  const files = hard('Max open files');
  const processes = hard('Max processes');
  const text = `hard limits: as ${space}, nofile ${files}, nproc ${processes} (counts per user, not per job)`;
  const tight = (space !== 'unlimited' && Number(space) < 4 * 2 ** 30) || Number(files) < 256;
  rows.push(
    tight
      ? warn('rlimits', text, 'Node needs an address space of 4 GiB and 256 files: ulimit -Hv, ulimit -Hn')
      : pass('rlimits', text),
  );
  return rows;
}
