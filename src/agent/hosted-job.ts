import type { Keeper, KeeperEvent } from 'cgroup-utils-native';
import type { Subject } from '../supervise/subject.js';

/** A job of another process tree, whose keeper is connected to this agent. */
export function hostedJob(
  keeper: Keeper,
  origin: Extract<KeeperEvent, { type: 'origin' }>,
  environment: Readonly<Record<string, string>>,
  user: string,
): Subject {
  const { frontPid, folder, children } = origin;
  return {
    environment,
    user,
    frontPid,
    files: () => ({ home: environment['HOME'], folder, owner: null }),
    writeReport: async (path, placeholders, text) => (await keeper.writeReport(path, placeholders, text)).code,
    ourPids: [frontPid, ...keeper.pids, ...(environment['PBS_JOBID'] === undefined ? [] : children)],
    adopted: null,
  };
}
