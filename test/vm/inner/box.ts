import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { processesWith, until as untilFor } from '../../fixtures/processes.js';
import { CHECKOUT, type Setting } from './setting.js';

/** Starts boxes inside the virtual machine, where everything takes 10 to 35 times as long. */

const CGROUPS = '/sys/fs/cgroup';
/** Generous: it is reached by failures only. */
export const PATIENCE_MS = 60_000;
const PROC_BOX = process.env['PROC_BOX_UNDER_TEST'] ?? '';

export interface Box {
  /** Of the wrapper. */
  readonly pid: number;
  /** Group that the wrapper was started in, as /proc/PID/cgroup names it. */
  readonly group: string;
  readonly done: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  stdout(): string;
  stderr(): string;
  /** Waits for this on stdout. */
  says(text: string): Promise<void>;
  /** Live processes of the box, its wrapper and its keeper. */
  members(): number[];
  allGone(): Promise<void>;
}

export function startBox(
  t: TestContext,
  setting: Setting,
  options: readonly string[],
  command: readonly string[],
): Box {
  const id = `box-${randomBytes(6).toString('hex')}`;
  const words = [...setting.through(id), PROC_BOX, '-uri', 'none', '--config', 'none', ...options, '--', ...command];
  const child = spawn(words[0]!, words.slice(1), {
    cwd: '/',
    env: {
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      PROC_BOX_VM_DISK: process.env['PROC_BOX_VM_DISK'],
      BOX_MARK: id,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
    });
  }
  const done = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const members = () => processesWith(`BOX_MARK=${id}`);
  t.after(() => {
    for (let round = 0; round < 20 && members().length > 0; round++) for (const pid of members()) kill(pid);
  });
  const pid = child.pid!;
  return {
    pid,
    group: setting.group(id, pid),
    done,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    members,
    says: async (words) => {
      await until(
        () => text.stdout.includes(words),
        () => `the job says ${words}; ${JSON.stringify(text)}`,
      );
    },
    allGone: async () => {
      await until(
        () => members().length === 0,
        () => `nothing is left: ${members().map(describeProcess).join(', ')}`,
      );
    },
  };
}

/** A box that ends by itself. */
export async function runBox(t: TestContext, setting: Setting, options: readonly string[], command: readonly string[]) {
  const box = startBox(t, setting, options, command);
  const { code, signal } = await box.done;
  return { box, code, signal, stdout: box.stdout(), stderr: box.stderr() };
}

/** A small program of the jobs folder. */
export function job(name: string, ...args: string[]): string[] {
  const path = join(CHECKOUT, 'test/vm/inner/jobs', name);
  return name.endsWith('.py') ? ['/usr/bin/python3', '-S', '-E', path, ...args] : ['sh', path, ...args];
}

export async function until(look: () => boolean, what: () => string): Promise<void> {
  try {
    await untilFor(look, '', PATIENCE_MS);
  } catch (error) {
    throw new Error(`not within ${PATIENCE_MS} ms: ${what()}`, { cause: error });
  }
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Group of a process in the v2 hierarchy. */
export function groupOf(pid: number): string {
  return groupIn(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
}

export function groupIn(text: string): string {
  const group = /^0::(.*)$/m.exec(text)?.[1];
  if (group === undefined) throw new Error(`no group of v2 in ${JSON.stringify(text)}`);
  return group;
}

/** A file of a group. */
export function groupFile(group: string, name: string): string {
  return readFileSync(join(CGROUPS, group, name), 'utf8').trim();
}

/** All groups of the machine. */
export function groups(): string[] {
  const below = (path: string): string[] => [
    path,
    ...readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => below(join(path, entry.name))),
  ];
  return below(CGROUPS).map((path) => path.slice(CGROUPS.length));
}

function describeProcess(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`;
  } catch {
    return `${pid} (gone meanwhile)`;
  }
}
