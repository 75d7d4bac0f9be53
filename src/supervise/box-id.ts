import { randomHex } from 'cgroup-utils-native';

/** The time comes first so that box ids sort; random digits follow so that no two boxes of a site share one. */
export function newBoxId(): string {
  return `${Math.floor(Date.now() / 1000).toString(16)}${randomHex(6)}`;
}
