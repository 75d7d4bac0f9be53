import { type JobIdentity, SCHEDULER_NAMES } from '../options/spec.js';

/** Parses the identity that the writer of a file claims, so that nothing else is published as one. */

const SCHEDULERS: readonly unknown[] = SCHEDULER_NAMES;
/** Without control characters, because lists are printed to a terminal. */
const TEXT = /^\P{Cc}{0,255}$/u;

/** @returns the identity without unknown keys; undefined if the value is not an identity */
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

/** Takes the identity from the body of a sample or an event, for a file with a damaged head. */
export function identityIn(body: string): JobIdentity | undefined {
  try {
    const value = JSON.parse(body) as { Identity?: unknown; identity?: unknown } | null;
    return toIdentity(value?.Identity ?? value?.identity);
  } catch {
    return undefined; // not JSON, so not one of our messages
  }
}
