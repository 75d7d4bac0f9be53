import { type Roots, readText, SYSTEM_ROOTS } from './roots.js';
import { type Virtualization, virtualization } from './virtualization.js';

/** Facts that do not change during a box. Names and values are those of gopsutil, as in the old proc_box; '' is unknown. */
export interface HostFacts extends Virtualization {
  readonly hostname: string;
  /** Seconds since the epoch. From /proc/uptime, because reading btime in /proc/stat is expensive on hosts with many CPUs. */
  readonly boot_time: number;
  readonly os: 'linux';
  /** `debian`, `ubuntu`, `centos`, `redhat`, ...: os-release(5) ID. */
  readonly platform: string;
  /** `debian`, `rhel`, `suse`, ... */
  readonly platform_family: string;
  /** `12.11` (/etc/debian_version), otherwise os-release(5) VERSION_ID. */
  readonly platform_version: string;
}

/**
 * Reads a handful of small files and forks nothing; the old proc_box ran lsb_release, getopt, cut, tr and pgrep for each
 * sample. Call it after the job's start, because nothing needs it earlier.
 *
 * @param nowMs realtime clock, ms since the epoch
 */
export function hostFacts(hostname: string, roots: Roots = SYSTEM_ROOTS, nowMs: number = Date.now()): HostFacts {
  const release = osRelease(roots.etc);
  const id = PLATFORMS[release['ID'] ?? ''] ?? release['ID'] ?? '';
  const uptimeSec = Number.parseFloat(readText(`${roots.proc}/uptime`) ?? '');
  return {
    hostname,
    boot_time: Number.isFinite(uptimeSec) ? Math.floor(nowMs / 1000 - uptimeSec) : 0,
    os: 'linux',
    platform: id,
    platform_family: family(id, release['ID_LIKE'] ?? ''),
    platform_version: version(id, release['VERSION_ID'] ?? '', roots.etc),
    ...virtualization(roots),
  };
}

/** Names of os-release(5) that gopsutil spells differently. */
const PLATFORMS: Readonly<Record<string, string>> = {
  rhel: 'redhat',
  'opensuse-leap': 'opensuse',
  ol: 'oracle',
  amzn: 'amazon',
};

const FAMILIES: Readonly<Record<string, string>> = {
  debian: 'debian',
  ubuntu: 'debian',
  linuxmint: 'debian',
  raspbian: 'debian',
  redhat: 'rhel',
  centos: 'rhel',
  rocky: 'rhel',
  almalinux: 'rhel',
  oracle: 'rhel',
  amazon: 'rhel',
  scientific: 'rhel',
  fedora: 'fedora',
  sles: 'suse',
  opensuse: 'suse',
  arch: 'arch',
  gentoo: 'gentoo',
  alpine: 'alpine',
};

function family(id: string, like: string): string {
  const known = FAMILIES[id];
  if (known !== undefined) return known;
  for (const word of like.split(' ')) {
    const found = FAMILIES[PLATFORMS[word] ?? word];
    if (found !== undefined) return found;
  }
  return '';
}

/** The version with the point release, which os-release lacks on Debian and CentOS. */
function version(id: string, versionId: string, etc: string): string {
  if (id === 'debian') return readText(`${etc}/debian_version`)?.trim() || versionId;
  if (id === 'centos') return /release (\d[\d.]*)/.exec(readText(`${etc}/centos-release`) ?? '')?.[1] ?? versionId;
  return versionId;
}

/** Parses os-release(5): shell assignments whose values may be quoted. */
function osRelease(etc: string): Readonly<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (const line of (readText(`${etc}/os-release`) ?? '').split('\n')) {
    const found = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (found !== null) entries[found[1] as string] = found[3] as string;
  }
  return entries;
}
