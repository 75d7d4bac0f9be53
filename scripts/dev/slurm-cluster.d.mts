/** A private Slurm on loopback; see slurm-cluster.mjs. */
export interface SlurmOptions {
  readonly nodes?: number;
  readonly cpus?: number;
  readonly proctrack?: 'cgroup' | 'linuxproc' | 'pgid';
  readonly killWait?: number;
  readonly conf?: string;
  readonly cgroupConf?: string;
  readonly files?: Readonly<Record<string, string>>;
}

export interface SlurmCluster {
  readonly dir: string;
  readonly etc: string;
  readonly env: Readonly<Record<string, string>>;
  readonly nodes: readonly string[];
  command(name: string, ...args: string[]): Promise<string>;
  stop(): Promise<void>;
  signal(daemon: string, signal: NodeJS.Signals): boolean;
  startController(): void;
  restartController(): Promise<void>;
  restartNodes(): Promise<void>;
  addConf(lines: string): void;
  log(daemon: string): string;
}

export function startSlurm(options?: SlurmOptions): Promise<SlurmCluster>;

export function missingProgram(): string | undefined;
