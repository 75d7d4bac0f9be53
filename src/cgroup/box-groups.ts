import type { AbandonedGroups } from 'cgroup-utils-native';

/**
 * How boxes name their groups, and from which age on an empty group counts as abandoned: in a younger one a job may be about
 * to start. The keeper removes abandoned groups beside its own by the same rule.
 */
export const BOX_GROUPS: AbandonedGroups = { prefix: 'proc_box-', idDigits: 20, minAgeSec: 60 };

/** Returns the directory name of a box's groups. @param more words that tell people whose box it is */
export function boxGroupName(boxId: string, more: readonly string[]): string {
  return BOX_GROUPS.prefix + [boxId, ...more].join('-');
}

export function isBoxGroup(name: string): boolean {
  const { prefix, idDigits } = BOX_GROUPS;
  return name.startsWith(prefix) && new RegExp(`^[0-9a-f]{${idDigits}}`).test(name.slice(prefix.length));
}
