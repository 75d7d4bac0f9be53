import type { JobIdentity } from '../options/spec.js';
import type { Environment } from './identity.js';

/** Parts of an identity that do not rest on what the job's user says. */
export type VerifiedPart = NonNullable<JobIdentity['verified']>[number];

/**
 * Which parts of the identity of an agent's box are verified: the user and the host always, because the kernel vouches for the
 * one, and the agent knows the other. The job is verified if the box runs in a control group that names it and that only root
 * can have made, because it lies at the top of its hierarchy. Newer Slurm names its groups by opaque ids under v2; then the job
 * is what the user says.
 * @param groups proc_pid_cgroup(5) of the process that has connected
 * @param uid of that process
 */
export function verifiedParts(
  { scheduler, job }: Pick<JobIdentity, 'scheduler' | 'job'>,
  environment: Environment,
  groups: string,
  uid: number,
): readonly VerifiedPart[] {
  const known = scheduler === 'slurm' ? slurmJobs(groups, uid) : scheduler === 'pbs' ? pbsJobs(groups) : [];
  // The task of an array has a name of its own for users, which the group does not show.
  const id = scheduler === 'slurm' ? environment['SLURM_JOB_ID'] : environment['PBS_JOBID'];
  const isNamed = id !== undefined && known.includes(id) && (scheduler === 'pbs' || job === id);
  return isNamed ? ['user', 'host', 'job'] : ['user', 'host'];
}

/** `4:memory:/slurm/uid_1000/job_12/step_0` in v1, `0::/system.slice/slurmstepd.scope/job_12/...` in v2. */
function slurmJobs(groups: string, uid: number): string[] {
  const v1 = new RegExp(`^\\d+:[^:]+:/slurm(?:_[^/]*)?/uid_${uid}/job_(\\d+)(?:/|$)`, 'gm');
  const v2 = /^0::\/system\.slice\/(?:[^/]+_)?slurmstepd\.scope\/job_(\d+)(?:\/|$)/gm;
  return [v1, v2].flatMap((pattern) => [...groups.matchAll(pattern)].map(([, id = '']) => id));
}

/** OpenPBS's cgroup hook: `/pbs_jobs.service/jobid/12.server`. */
function pbsJobs(groups: string): string[] {
  return [
    ...groups.matchAll(/^\d+:[^:]*:\/pbs(?:_jobs\.service|pro(?:\.slice|\.service)?)\/(?:jobid\/)?([^/\n]+)/gm),
  ].map(([, id = '']) => id);
}
