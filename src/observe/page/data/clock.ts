/** Times of day and dates, in the zone of whoever looks. */

const DAY_MS = 86_400_000;

/**
 * `14:03:09`; beside ticks of an axis `14:03`, and the date where they span more than a day.
 * @param axisSec the ticks of an axis, in seconds
 */
export function clock(ms: number, axisSec?: readonly number[]): string {
  const date = new Date(ms);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (axisSec === undefined) return `${time}:${two(date.getSeconds())}`;
  const [first, second] = axisSec;
  const stepSec = first === undefined || second === undefined ? 60 : second - first;
  if (stepSec < 60) return `${time}:${two(date.getSeconds())}`;
  const spanMs = ((axisSec.at(-1) ?? 0) - (first ?? 0)) * 1000;
  return spanMs > DAY_MS || stepSec >= DAY_MS / 1000 ? `${monthDay(date)} ${time}` : time;
}

/** `14:03:09` today, `30 Nov 14:03` this year, `30 Nov 2025` before that; a dash for what is no time. */
export function when(ms: number | null | undefined, nowMs: number): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return '–';
  const [date, now] = [new Date(ms), new Date(nowMs)];
  if (date.toDateString() === now.toDateString()) return clock(ms);
  if (date.getFullYear() === now.getFullYear())
    return `${monthDay(date)} ${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${monthDay(date)} ${date.getFullYear()}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function monthDay(date: Date): string {
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
}

function two(value: number): string {
  return `${value}`.padStart(2, '0');
}
