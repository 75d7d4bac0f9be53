import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const procBox = join(root, 'bin', 'proc_box');
export const node = process.execPath;

/** The environment of every figure. */
export interface Bench extends Disposable {
  /** bench/native/probe.c, compiled. */
  readonly probe: string;
  /** For results, FIFOs and output. */
  readonly folder: string;
  readonly brokerUri: string;
  readonly brokerPid: number;
  /** Number of queues or connections of the broker; scripts/dev/bench.mjs asks rabbitmqctl. */
  brokerCount(list: 'queues' | 'connections'): Promise<number>;
  /** Repetitions: the full number, or a tenth with --quick. */
  rounds(full: number): number;
}

/** One line of the table. */
export interface Row {
  readonly figure: string;
  readonly measured: string;
  /** The value for comparison, e.g. `node -e 0: 27.1 ms`. */
  readonly reference: string;
  readonly ratio?: number;
  /** In words; absent if the line serves only for comparison. */
  readonly target?: string;
  readonly pass?: boolean;
}

export function prepare(quick: boolean): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'proc_box-bench-'));
  const probe = join(folder, 'probe');
  const source = join(root, 'bench', 'native', 'probe.c');
  const compile = ['-O2', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', source, '-o', probe];
  // Static, so that the job's own start adds as little as possible. Hosts without libc.a get a dynamic executable.
  if (spawnSync('cc', ['-static', ...compile]).status !== 0) execFileSync('cc', compile, { stdio: 'inherit' });
  return {
    probe,
    folder,
    brokerUri: process.env['PROC_BOX_BENCH_BROKER'] as string,
    brokerPid: Number(process.env['PROC_BOX_BENCH_BROKER_PID']),
    async brokerCount(list) {
      process.send?.(list);
      const [answer] = (await once(process, 'message')) as [number];
      return answer;
    },
    rounds: (full) => (quick ? Math.max(3, Math.round(full / 10)) : full),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Closes the resources of a figure in reverse order, however the figure ends. */
export class Cleanup implements AsyncDisposable {
  readonly #ends: (() => Promise<unknown>)[] = [];

  defer(end: () => Promise<unknown>): void {
    this.#ends.unshift(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) await end();
  }
}

/** One run of a command, timed by the probe around fork and wait. */
export interface Run {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** From before fork to the job's first instruction; NaN if the command has no `probe mark`. */
  readonly firstMs: number;
  readonly stderr: string;
}

/**
 * @param argv may contain MARK, which becomes `probe mark FILE`
 * @param stdout descriptor for the command's stdout
 * @throws Error if the command's exit status is not 0
 */
export function runOnce(bench: Bench, argv: readonly string[], stdout: number | 'ignore' = 'ignore'): Run {
  const result = join(bench.folder, 'run');
  const marked = join(bench.folder, 'mark');
  rmSync(marked, { force: true });
  const command = argv.flatMap((word) => (word === MARK ? [bench.probe, 'mark', marked] : [word]));
  const { stderr } = spawnSync(bench.probe, ['run', result, ...command], {
    stdio: ['ignore', stdout, 'pipe'],
    encoding: 'utf8',
  });
  const [before, after, user, system, status] = readFileSync(result, 'utf8').split(' ').map(Number) as Five;
  if (status !== 0) throw new Error(`${command.join(' ')}: ended with wait status ${status}\n${stderr}`);
  const first = argv.includes(MARK) ? Number(readFileSync(marked, 'utf8')) : Number.NaN;
  return { wallMs: (after - before) / 1e6, cpuMs: (user + system) / 1e3, firstMs: (first - before) / 1e6, stderr };
}

export const MARK = '<probe mark>';

type Five = [number, number, number, number, number];

/**
 * Runs the cases in turn, round by round, and begins each round with another case, so that other load on the machine affects all
 * cases alike.
 * @returns per case its values in the order of the rounds, without a first round that does not count
 */
export async function interleave<Name extends string>(
  rounds: number,
  cases: Readonly<Record<Name, () => number | Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(cases) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -1; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round + names.length) % names.length] as Name;
      const value = await cases[name]();
      if (round >= 0) values[name].push(value);
    }
  }
  return values;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The median of the ratios of each round. */
export function pairedRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / (base[round] as number)));
}

/** The path of a comparable program, or undefined if it is not installed. */
export function findPeer(name: string): string | undefined {
  const paths = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false; // ENOENT, EACCES: not here
    }
  });
}

/** CPU time of a live process with all its threads, ms, from /proc/PID/task/TID/schedstat, which has ns instead of ticks. */
export function cpuMsOf(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const threads = readdirSync(folder);
  return threads.reduce((sum, thread) => {
    const [ranNs] = readFileSync(join(folder, thread, 'schedstat'), 'utf8').split(' ');
    return sum + Number(ranNs) / 1e6;
  }, 0);
}

/** The live children of a process, proc_pid_task_children(5). */
export function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** A field of /proc/PID/status or smaps_rollup, in bytes. */
export function kilobyteField(pid: number, file: 'status' | 'smaps_rollup', field: string): number {
  const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
}

/** Opens a file without truncating it, so that its old content is overwritten from the start. */
export function openedForWriting<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}
