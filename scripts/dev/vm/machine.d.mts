/** Runs a command in a virtual machine; see machine.mjs. */
export class VmUnavailable extends Error {}

export interface VmOptions {
  readonly command: readonly string[];
  readonly systemd?: boolean;
  readonly user?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly cwd?: string;
  readonly root?: string;
  readonly timeoutMs?: number;
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
  readonly onConsole?: (chunk: Buffer) => void;
}

export interface VmResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Time until the command was started. */
  readonly bootMs: number;
  readonly elapsedMs: number;
}

export function runVm(options: VmOptions): Promise<VmResult>;
export function prepareVm(): { qemu: string; kernel: string; initrd: Buffer; release: string };
