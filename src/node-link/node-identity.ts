import { randomBytes } from 'node:crypto';
import type { JobIdentity } from '../options/spec.js';

/** Names a node's link. It begins with the time, so that what a node has left in the spool is delivered in order. */
export function newNodeId(nowMs: number): string {
  return `node-${nowMs.toString(36).padStart(9, '0')}-${randomBytes(4).toString('hex')}`;
}

/** As whom a node's link keeps messages in the spool, and tells of those that were lost there. */
export function nodeIdentity(
  id: string,
  { host, user }: { readonly host: string; readonly user: string },
): JobIdentity {
  return {
    scheduler: 'none',
    cluster: null,
    job: id,
    step: null,
    task: null,
    restart: 0,
    user,
    host,
    node: null,
    queue: null,
    box: id,
  };
}
