import type { Keeper } from 'cgroup-utils-native';
import { toTexts } from '../kernel/texts.js';
import type { BoxCgroup } from './types.js';
import type { CgroupUsage } from './usage.js';

/** Samples a box: `Keeper.sample`. */
export type SampleBox = Keeper['sample'];

/** Reads the present figures of a box's groups through its keeper. Rejects if the keeper has gone. */
export async function readUsage(cgroup: BoxCgroup, sample: SampleBox): Promise<CgroupUsage | null> {
  const files = cgroup.usageFiles();
  if (files.length === 0) return null;
  return cgroup.usage(toTexts(files, (await sample({ files })).texts));
}
