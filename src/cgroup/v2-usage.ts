import type { Reader } from '../kernel/texts.js';
import { parseIoStat } from './io.js';
import {
  type CgroupUsage,
  type CpuUsage,
  type MemoryUsage,
  parseNumber,
  parseTable,
  pidsUsage,
  type Table,
  without,
} from './usage.js';
import type { V2Group } from './v2.js';

/** Reads the usage of a v2 group. Source: cgroup-v2.rst. */
export function v2Usage({ dir, controllers }: Pick<V2Group, 'dir' | 'controllers'>, read: Reader): CgroupUsage {
  return {
    memory: controllers.has('memory') ? v2Memory(dir, read) : null,
    cpu: v2Cpu(dir, read),
    io: controllers.has('io') ? v2Io(dir, read) : null,
    pids: controllers.has('pids') ? pidsUsage(dir, read) : null,
  };
}

function v2Memory(dir: string, read: Reader): MemoryUsage | null {
  const [current, peak, swap, figures, counts] = read(
    dir,
    'memory.current',
    'memory.peak',
    'memory.swap.current',
    'memory.stat',
    'memory.events',
  );
  const currentBytes = parseNumber(current);
  const stat = parseTable(figures);
  if (currentBytes === null || stat === null) return null;
  const events = parseTable(counts);
  const shmemBytes = stat.get('shmem');
  return {
    currentBytes,
    peakBytes: parseNumber(peak),
    swapBytes: parseNumber(swap),
    anonBytes: stat.get('anon'),
    fileBytes: without(stat.get('file'), shmemBytes),
    shmemBytes,
    mappedBytes: stat.get('file_mapped'),
    kernelBytes: stat.get('kernel') ?? kernelParts(stat),
    oomEvents: events?.get('oom') ?? null,
    oomKills: events === null ? null : killed(events),
  };
}

/** With memory.oom.group the kernel counts the process that it chose twice. oom_group_kill exists since Linux 5.17. */
function killed(events: Table): number | null {
  const kills = events.get('oom_kill');
  return kills === null ? null : Math.max(kills - (events.get('oom_group_kill') ?? 0), Math.min(kills, 1));
}

/** Adds up kernel memory for kernels before 5.18, whose memory.stat lacks the sum. */
function kernelParts(stat: Table): number | null {
  const slab = stat.get('slab');
  const others = ['kernel_stack', 'pagetables', 'percpu'].reduce((sum, key) => sum + (stat.get(key) ?? 0), 0);
  return slab === null ? null : slab + others;
}

function v2Io(dir: string, read: Reader) {
  const [text] = read(dir, 'io.stat');
  return text == null ? null : parseIoStat(text);
}

/** cpu.stat exists even without the cpu controller, but then lacks the throttling figures. */
function v2Cpu(dir: string, read: Reader): CpuUsage | null {
  const stat = parseTable(read(dir, 'cpu.stat')[0]);
  const usageUsec = stat?.get('usage_usec');
  if (stat === null || usageUsec === undefined || usageUsec === null) return null;
  return {
    usageUsec,
    userUsec: stat.get('user_usec'),
    systemUsec: stat.get('system_usec'),
    periods: stat.get('nr_periods'),
    throttledPeriods: stat.get('nr_throttled'),
    throttledUsec: stat.get('throttled_usec'),
  };
}
