import { existsSync } from 'node:fs';
import type { KeeperEvent } from 'cgroup-utils-native';
import { EXIT } from '../box/outcome.js';
import type { BoxSpec } from '../options/spec.js';
import { COMMAND_NAMES } from '../options/table/commands.js';
import { VERBS } from '../options/table/verbs.js';
import { redactUri } from '../options/uri.js';
import { nearName } from '../options/words.js';

/** Says why a job could not be started: what was tried, how it failed, and what to do. */
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
  return failure(`launch ${redactUri(name)}: ${step}: ${code}; ${remedy}`);
}

function execFailure(name: string, code: string, lookup: boolean): { message: string; exitStatus: number } {
  // The value of a variable may be a secret.
  const shown = redactUri(isAssignment(name) ? name.replace(/=.*/s, '=...') : name);
  const found = !lookup && (!name.includes('/') || existsSync(name));
  if (code === 'ENOENT' && !found) {
    const where = name.includes('/') ? 'there is no such file' : 'it is not on PATH';
    return { message: `run ${shown}: not found; ${meant(name) ?? where}`, exitStatus: EXIT.notFound };
  }
  if (isDirectory(name)) {
    return { message: `run ${shown}: it is a directory; name a program in it`, exitStatus: EXIT.notExecutable };
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
  return { message: `run ${shown}: ${code}; ${why[code] ?? 'the kernel refused to execute it'}`, exitStatus };
}

function isDirectory(name: string): boolean {
  // `name/.` exists only if the name is a directory. existsSync never throws, unlike statSync for ENOTDIR and ELOOP.
  return name.includes('/') && existsSync(`${name}/.`);
}

/** Words that users mistake for commands, and what they mean by each. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ...VERBS.map((verb) => [verb, verb] as const),
  ...['list', 'flush'].map((word) => [word, `spool ${word}`] as const),
  ['keygen', 'ctl keygen'],
  ...COMMAND_NAMES.map((word) => [word, `ctl --job <id> ${word}`] as const),
  ['help', '--help'],
  ['version', '--version'],
]);

function isAssignment(name: string): boolean {
  return /^[A-Za-z_]\w*=/.test(name);
}

/** Suggests what the user meant by a word that names no program. */
function meant(name: string): string | undefined {
  if (/^amqps?:\/\//i.test(name)) {
    return 'a URI of a broker is an option: write --uri before it, or better name a file with it: --uri-file';
  }
  if (isAssignment(name)) {
    const [variable] = name.split('=', 1);
    return `a variable is set before proc_box: "${variable}=... proc_box ..." or "proc_box ... env ${variable}=... <command>"`;
  }
  const near = /^[\w-]+$/.test(name) ? nearName(name, MEANT.keys()) : undefined;
  return near === undefined ? undefined : `it is not on PATH; did you mean "proc_box ${MEANT.get(near)}"?`;
}

function failure(message: string): { message: string; exitStatus: number } {
  return { message, exitStatus: EXIT.failed };
}
