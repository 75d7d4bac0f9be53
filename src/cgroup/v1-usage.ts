import type { Reader } from '../kernel/texts.js';
import { parseV1Io } from './io.js';
import { type CpuUsage, type MemoryUsage, parseNumber, parseTable, without } from './usage.js';

/** Reads the usage of v1 groups, in the terms of v2. Source: cgroup-v1/*.rst. */

export function v1Memory(dir: string, read: Reader): MemoryUsage | null {
  const [usage, peak, kernel, figures, oom] = read(
    dir,
    'memory.usage_in_bytes',
    'memory.max_usage_in_bytes',
    'memory.kmem.usage_in_bytes',
    'memory.stat',
    'memory.oom_control',
  );
  const currentBytes = parseNumber(usage);
  const stat = parseTable(figures);
  if (currentBytes === null || stat === null) return null;
  const get = (key: string) => stat.get(`total_${key}`) ?? stat.get(key);
  const shmemBytes = get('shmem');
  return {
    currentBytes,
    peakBytes: parseNumber(peak),
    swapBytes: get('swap'),
    anonBytes: get('rss'),
    // As in v2, `cache` includes shared memory, and `mapped_file` is the mapped part of both.
    fileBytes: without(get('cache'), shmemBytes),
    shmemBytes,
    mappedBytes: get('mapped_file'),
    kernelBytes: parseNumber(kernel),
    oomEvents: null,
    oomKills: parseTable(oom)?.get('oom_kill') ?? null,
  };
}

/** @param cpuDir the group that enforces --cpus, for the throttling figures */
export function v1Cpu(acctDir: string, cpuDir: string | undefined, read: Reader): CpuUsage | null {
  const [usage, user, system] = read(acctDir, 'cpuacct.usage', 'cpuacct.usage_user', 'cpuacct.usage_sys');
  const usageNs = parseNumber(usage);
  if (usageNs === null) return null;
  return {
    usageUsec: Math.floor(usageNs / 1000),
    userUsec: usec(parseNumber(user)),
    systemUsec: usec(parseNumber(system)),
    ...v1Throttling(cpuDir, read),
  };
}

export function v1Throttling(
  cpuDir: string | undefined,
  read: Reader,
): Pick<CpuUsage, 'periods' | 'throttledPeriods' | 'throttledUsec'> {
  const stat = cpuDir === undefined ? null : parseTable(read(cpuDir, 'cpu.stat')[0]);
  return {
    periods: stat?.get('nr_periods') ?? null,
    throttledPeriods: stat?.get('nr_throttled') ?? null,
    throttledUsec: usec(stat?.get('throttled_time') ?? null),
  };
}

export function v1Io(dir: string, read: Reader) {
  // The `_recursive` files (Linux 5.0) include the groups below.
  const [allBytes, allServiced, bytes, serviced] = read(
    dir,
    'blkio.throttle.io_service_bytes_recursive',
    'blkio.throttle.io_serviced_recursive',
    'blkio.throttle.io_service_bytes',
    'blkio.throttle.io_serviced',
  );
  if (allBytes != null && allServiced != null) return parseV1Io(allBytes, allServiced);
  return bytes == null || serviced == null ? null : parseV1Io(bytes, serviced);
}

function usec(ns: number | null): number | null {
  return ns === null ? null : Math.floor(ns / 1000);
}
