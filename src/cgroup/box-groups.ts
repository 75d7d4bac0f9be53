import type { AbandonedGroups } from 'cgroup-utils-native';

/**
 * How boxes name their groups, and when such a group counts as abandoned: a younger one may be about to start its job. The
 * keeper takes abandoned groups beside its own away by this.
 */
export const BOX_GROUPS: AbandonedGroups = { prefix: 'proc_box-', idDigits: 20, minAgeSec: 60 };

/** @param more words that tell people whose box it is */
export function boxGroupName(boxId: string, more: readonly string[]): string {
  return BOX_GROUPS.prefix + [boxId, ...more].join('-');
}

export function isBoxGroup(name: string): boolean {
  const { prefix, idDigits } = BOX_GROUPS;
  return name.startsWith(prefix) && new RegExp(`^[0-9a-f]{${idDigits}}`).test(name.slice(prefix.length));
}
