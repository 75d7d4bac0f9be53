import { existsSync } from 'node:fs';
import type { KeeperEvent } from 'cgroup-utils-native';
import { EXIT } from '../box/outcome.js';
import type { BoxSpec } from '../spec/spec.js';

/** Words for a job that could not be started: what was tried, how it failed, what to do. */
export function launchFailure(
  failed: Extract<KeeperEvent, { type: 'failed' }>,
  spec: BoxSpec,
): { message: string; exitStatus: number } {
  const { step, index, code } = failed;
  const name = spec.command[0] ?? '';
  if (step === 'exec') return execFailure(name, code, index === 0);
  if (step === 'rlimit') {
    const { name: resource, soft, hard } = spec.rlimits[index] ?? {};
    const remedy =
      code === 'EPERM'
        ? `raising a hard limit needs CAP_SYS_RESOURCE; \`prlimit --${resource}\` shows the highest that is allowed`
        : '`man setrlimit` tells the range';
    return failure(`set --rlimit ${resource}=${soft ?? ''}:${hard ?? ''}: ${code}; ${remedy}`);
  }
  const remedy = code === 'EAGAIN' ? 'the limit of processes (nproc or pids) is reached' : 'see proc_box --debug';
  return failure(`launch ${name}: ${step}: ${code}; ${remedy}`);
}

function execFailure(name: string, code: string, lookup: boolean): { message: string; exitStatus: number } {
  const found = !lookup && (!name.includes('/') || existsSync(name));
  if (code === 'ENOENT' && !found) {
    const where = name.includes('/') ? 'there is no such file' : 'it is not on PATH';
    return { message: `run ${name}: not found; ${where}`, exitStatus: EXIT.notFound };
  }
  const why: Readonly<Record<string, string>> = {
    ENOENT: 'the interpreter or loader that it names does not exist; look at its first line',
    EACCES: 'it is not an executable file; try `chmod +x`',
    ENOEXEC: 'it, or the interpreter that it names, is neither a program for this machine nor a script',
    E2BIG: 'its arguments and environment are too long',
    ENOTDIR: 'a part of its path is not a directory',
    ETXTBSY: 'somebody is writing to it',
  };
  const exitStatus = code === 'ENOTDIR' ? EXIT.notFound : EXIT.notExecutable;
  return { message: `run ${name}: ${code}; ${why[code] ?? 'the kernel refused to execute it'}`, exitStatus };
}

function failure(message: string): { message: string; exitStatus: number } {
  return { message, exitStatus: EXIT.failed };
}
