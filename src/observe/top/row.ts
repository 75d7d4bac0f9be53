/** One box as `proc_box top` shows it; `--json` prints the same keys. Times are in ms, sizes in bytes; null is unknown. */
export interface TopRow {
  readonly box: string;
  readonly job: string;
  readonly step: string | null;
  readonly task: string | null;
  readonly user: string;
  readonly host: string;
  readonly cluster: string | null;
  readonly queue: string | null;
  /** As the box says, or `silent` if nothing has come from it for longer than it should take. */
  readonly state: string;
  /** % of a core, since the sample before. */
  readonly cpu_percent: number | null;
  /** Cores that `--cpus` allows. */
  readonly cpu_limit: number | null;
  readonly memory: number | null;
  readonly memory_peak: number | null;
  readonly memory_limit: number | null;
  /** Bytes per second from and to storage, between the last two samples. */
  readonly read_rate: number | null;
  readonly write_rate: number | null;
  /** % of the last 10 s in which tasks waited for this: the `some` of PSI. Null if only the host's is known. */
  readonly pressure_cpu: number | null;
  readonly pressure_memory: number | null;
  readonly pressure_io: number | null;
  /** Of the wall clock timer, and its limit; null without one. */
  readonly used_ms: number | null;
  readonly limit_ms: number | null;
  readonly processes: number | null;
  readonly oom_kills: number | null;
  /** Time in which `--cpus` has held the box back, since the start. */
  readonly throttled_ms: number | null;
  /** The command's first word; known of boxes that have started or answered since this program runs. */
  readonly command: string | null;
  /** Since the last message of the box. */
  readonly age_ms: number;
}

/** The job with its step and task: `1234_7.0.3`. */
export function jobName({ job, step, task }: Pick<TopRow, 'job' | 'step' | 'task'>): string {
  return [job, step, task].filter((part) => part !== null).join('.');
}

/** The highest pressure, and on what. */
export function worstPressure(row: TopRow): { readonly on: 'cpu' | 'memory' | 'io'; readonly percent: number } | null {
  const all = [
    { on: 'cpu', percent: row.pressure_cpu },
    { on: 'memory', percent: row.pressure_memory },
    { on: 'io', percent: row.pressure_io },
  ] as const;
  let worst: { on: 'cpu' | 'memory' | 'io'; percent: number } | null = null;
  for (const { on, percent } of all) {
    if (percent !== null && (worst === null || percent > worst.percent)) worst = { on, percent };
  }
  return worst;
}
