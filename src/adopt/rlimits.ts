import type { Keeper } from 'cgroup-utils-native';
import { EnvironmentError } from '../errors.js';
import type { BoxSpec, RlimitRequest } from '../options/spec.js';
import { cutTo } from '../supervise/within-allowed.js';

/**
 * Sets the rlimits of every process that the keeper holds. With an explicit `--enforce best-effort` it cuts them to what is
 * allowed.
 * @returns what was set, and a warning for each that was cut
 * @throws EnvironmentError
 */
export async function setRlimits(
  keeper: Keeper,
  pid: number,
  { rlimits, enforce, enforceAsked }: BoxSpec,
): Promise<{ rlimits: RlimitRequest[]; warnings: string[] }> {
  const set: RlimitRequest[] = [];
  const warnings: string[] = [];
  for (const wanted of rlimits) {
    const code = await setAll(keeper, wanted);
    if (code === null) {
      set.push(wanted);
      continue;
    }
    const mayCut = code === 'EPERM' && enforceAsked && enforce === 'best-effort';
    const cut = mayCut ? cutTo(wanted, (await keeper.rlimit(wanted.name, {})).limit.hard) : null;
    if (cut?.warning == null || (await setAll(keeper, cut.allowed)) !== null) throw refused(wanted, pid, code);
    set.push(cut.allowed);
    warnings.push(cut.warning);
  }
  return { rlimits: set, warnings };
}

/** @returns the name of the last errno, or null if every process has the limit */
async function setAll(keeper: Keeper, { name, soft, hard }: RlimitRequest): Promise<string | null> {
  const limit = { ...(soft !== undefined && { soft }), ...(hard !== undefined && { hard }) };
  const { failed, code } = await keeper.rlimit(name, limit);
  return failed === 0 ? null : code;
}

function refused({ name, soft, hard }: RlimitRequest, pid: number, code: string): EnvironmentError {
  const remedy =
    code === 'EPERM'
      ? 'raising a hard limit, or setting limits of another user, needs CAP_SYS_RESOURCE'
      : '`man setrlimit` tells the range';
  return new EnvironmentError(`set --rlimit ${name}=${soft ?? ''}:${hard ?? ''} of ${pid}: ${code}; ${remedy}`);
}
