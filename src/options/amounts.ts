/** Formats amounts for people, in log lines, reports, errors and the text of `proc_box ctl`. JSON keeps the plain numbers. */

/** The unit of a limit, as in getrlimit(2) or its option. `cpus` are cores; `nice` and `priority` are the kernel's numbers. */
export type LimitUnit = (typeof UNITS)[number];

const UNITS = [
  ...(['ms', 'seconds', 'usec', 'bytes', 'bytes/s', 'count', 'count/s'] as const),
  ...(['cpus', 'list', 'nice', 'priority'] as const),
] as const;

/** Checks a unit that comes from outside. */
export function isUnit(unit: unknown): unit is LimitUnit {
  return (UNITS as readonly unknown[]).includes(unit);
}

/** Formats a value with its unit: `64 MiB`, `10 min`, `1.5`. Text stays as it is. */
export function amount(value: number | string, unit: LimitUnit): string {
  if (typeof value === 'string') return value;
  switch (unit) {
    case 'ms':
      return duration(value);
    case 'usec':
      return duration(value / 1000);
    case 'seconds':
      return duration(value * 1000);
    case 'bytes':
      return bytes(value);
    case 'bytes/s':
      return `${bytes(value)}/s`;
    case 'count/s':
      return `${value}/s`;
    case 'cpus':
      return `${Math.round(value * 100) / 100}`;
    case 'count':
    case 'list':
    case 'nice':
    case 'priority':
      return `${value}`;
  }
}

/** Formats a limit, with its hard limit if that differs: `1024:4096`. */
export function limitAmount(limit: {
  readonly value: number | string;
  readonly hard?: number | string;
  readonly unit: LimitUnit;
}): string {
  const { value, hard, unit } = limit;
  return hard === undefined || hard === value ? amount(value, unit) : `${amount(value, unit)}:${amount(hard, unit)}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** Formats bytes: `512 B`, `108.2 MiB`, `100 GiB`. */
export function bytes(count: number): string {
  let scaled = count;
  let unit = 0;
  // 1023.95 would round to 1024.0.
  while (scaled >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const text = unit === 0 ? `${scaled}` : scaled.toFixed(1).replace(/\.0$/, '');
  return `${text} ${BYTE_UNITS[unit]}`;
}

const MINUTE_SEC = 60;
const HOUR_SEC = 3600;
const DAY_SEC = 86_400;

/** `5 ms`, `1.03 s`, `1 min 05 s`, `2 h 05 min`, `2 h 00 min 05 s`, `3 d 04 h`; from a day on, rounded to the minute. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2).replace(/\.00$/, '')} s`;
  const exactSec = Math.round(ms / 1000);
  const totalSec = exactSec >= DAY_SEC ? Math.round(exactSec / MINUTE_SEC) * MINUTE_SEC : exactSec;
  const parts: (readonly [number, string])[] = [
    [Math.floor(totalSec / DAY_SEC), 'd'],
    [Math.floor((totalSec % DAY_SEC) / HOUR_SEC), 'h'],
    [Math.floor((totalSec % HOUR_SEC) / MINUTE_SEC), 'min'],
    [totalSec % MINUTE_SEC, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const last = parts.findLastIndex(([count]) => count > 0);
  return parts
    .slice(first, last + 1)
    .map(([count, unit], index) => `${index === 0 ? count : `${count}`.padStart(2, '0')} ${unit}`)
    .join(' ');
}

/** `1 process`, `3 processes`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
