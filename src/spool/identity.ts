import type { JobIdentity } from '../options/spec.js';

/** Whose messages a file holds, as its writer says. What is no identity must not be published as one. */

const SCHEDULERS: readonly unknown[] = ['slurm', 'pbs', 'sge', 'lsf', 'htcondor', 'none'];
/** What lists show it on is a terminal. */
const TEXT = /^\P{Cc}{0,255}$/u;

/** @returns undefined where it is none; what an identity does not have is left out */
export function toIdentity(value: unknown): JobIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { scheduler, restart, ...rest } = value as { readonly [Name in keyof JobIdentity]?: unknown };
  const { cluster = null, job, step = null, task = null, user, host, node = null, queue = null, box } = rest;
  const texts = [job, user, host, box];
  const optional = [cluster, step, task, node, queue].filter((text) => text !== null);
  const areTexts = [...texts, ...optional].every((text) => typeof text === 'string' && TEXT.test(text));
  if (!SCHEDULERS.includes(scheduler) || !Number.isSafeInteger(restart) || !areTexts) return undefined;
  return { scheduler, cluster, job, step, task, restart, node, queue, user, host, box } as JobIdentity;
}

/** In the body of a sample or an event, for a file whose head is damaged. */
export function identityIn(body: string): JobIdentity | undefined {
  try {
    const value = JSON.parse(body) as { Identity?: unknown; identity?: unknown } | null;
    return toIdentity(value?.Identity ?? value?.identity);
  } catch {
    return undefined; // no message of ours
  }
}
