/** Formats amounts for the narrow columns of tables. */

/** `5s`, `1m05s`, `2h05m`, `3d04h`, `400d`: at most six characters below 10,000 days. */
export function shortTime(ms: number): string {
  const sec = Math.floor(ms / 1000);
  const two = (count: number) => `${count}`.padStart(2, '0');
  if (sec < 60) return `${sec}s`;
  if (sec < 3_600) return `${Math.floor(sec / 60)}m${two(sec % 60)}s`;
  if (sec < 86_400) return `${Math.floor(sec / 3_600)}h${two(Math.floor(sec / 60) % 60)}m`;
  const days = Math.floor(sec / 86_400);
  return days < 100 ? `${days}d${two(Math.floor(sec / 3_600) % 24)}h` : `${days}d`;
}

/** The same without a second unit that is zero: `10m`, `1h`, `2d`. */
export function roundTime(ms: number): string {
  return shortTime(ms).replace(/(?<=[mhd])00[smh]$/, '');
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P', 'E'] as const;

/** `512B`, `1.5M`, `12G`: powers of 1024, at most four characters below 1,000 E. `-` for null. */
export function shortSize(bytes: number | null): string {
  if (bytes === null) return '-';
  let scaled = bytes;
  let unit = 0;
  for (; scaled >= 999.5 && unit < UNITS.length - 1; unit++) scaled /= 1024;
  return `${unit > 0 && scaled < 9.95 ? scaled.toFixed(1).replace(/\.0$/, '') : Math.round(scaled)}${UNITS[unit]}`;
}
