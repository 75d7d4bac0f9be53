import { type Keeper, type KeeperEvent, type Peer, readText } from 'cgroup-utils-native';
import type { Environment } from '../scheduler/identity.js';
import { verifiedParts } from '../scheduler/verified.js';
import type { Subject } from '../supervise/subject.js';

/** A job of another process tree, whose keeper is connected to this agent. */
export function hostedJob(
  keeper: Keeper,
  origin: Extract<KeeperEvent, { type: 'origin' }>,
  environment: Environment,
  user: string,
  peer: Pick<Peer, 'pid' | 'uid'>,
): Subject {
  const { frontPid, folder, children } = origin;
  // Read now, while the process that has connected is there for certain.
  const groups = peer.pid > 0 ? (readText(`/proc/${peer.pid}/cgroup`) ?? '') : '';
  return {
    environment,
    user,
    frontPid,
    verified: (identity) => verifiedParts(identity, environment, groups, peer.uid),
    files: () => ({ home: environment['HOME'], folder, owner: null }),
    writeReport: async (path, placeholders, text) => (await keeper.writeReport(path, placeholders, text)).code,
    ourPids: [frontPid, ...keeper.pids, ...(environment['PBS_JOBID'] === undefined ? [] : children)],
    adopted: null,
  };
}
