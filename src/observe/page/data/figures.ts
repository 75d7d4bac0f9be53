/** Figures in the page's tables and cards: short, of steady width, and never `NaN`. What is not known is a dash. */
import { bytes, duration } from '../../../options/amounts.js';

export { bytes };

/** Stands for what is not known. */
export const UNKNOWN = '–';

type Figure = number | null | undefined;

/** `3.4 GiB`; a dash for what is not known. */
export function size(count: Figure): string {
  return known(count) ? bytes(count) : UNKNOWN;
}

/** `12.5 MiB/s`; `0` where nothing moves, which reads quieter in a table of many. */
export function rate(bytesPerSecond: Figure): string {
  if (!known(bytesPerSecond)) return UNKNOWN;
  return bytesPerSecond < 1 ? '0' : `${bytes(Math.round(bytesPerSecond))}/s`;
}

/** `0.4 %`, `87 %`, `1600 %`. @param value in percent */
export function percent(value: Figure): string {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return '0 %';
  if (value < 0.1) return '<0.1 %';
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Cores kept busy: `0.52`, `12.4`, `118`. @param cpuPercent 100 is one core */
export function cores(cpuPercent: Figure): string {
  if (!known(cpuPercent)) return UNKNOWN;
  const value = cpuPercent / 100;
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : count(value);
}

/** A whole number with thin spaces between the thousands: `40 000`. */
export function count(value: Figure): string {
  return known(value) ? `${Math.round(value)}`.replaceAll(/\B(?=(\d{3})+$)/g, '\u202f') : UNKNOWN;
}

/** A span for a narrow column: `42 s`, `5:07`, `3:12:40`, `2 d 04:10`. */
export function span(ms: Figure): string {
  if (!known(ms)) return UNKNOWN;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** A limit of time for a narrow column, which is mostly a round one: `1 d`, `12 h`, `90 min`. */
export function roundSpan(ms: Figure): string {
  if (!known(ms)) return UNKNOWN;
  const minutes = ms / 60_000;
  if (minutes >= 2880 && minutes % 1440 === 0) return `${minutes / 1440} d`;
  if (minutes >= 60 && minutes % 60 === 0) return `${minutes / 60} h`;
  return minutes >= 1 && minutes < 600 && minutes % 1 === 0 ? `${minutes} min` : span(ms);
}

/** A span in words: `2 h 05 min`. */
export function spanInWords(ms: Figure): string {
  return known(ms) ? duration(Math.max(0, ms)) : UNKNOWN;
}

/** The share of a limit that is used, from 0 to 1 and above; null where one of them is not known or the limit is none. */
export function share(used: Figure, limit: Figure): number | null {
  return known(used) && known(limit) && limit > 0 ? used / limit : null;
}

/** How urgent a share of a limit is. */
export type Urgency = 'calm' | 'near' | 'over';

/** @param used share from 0 to 1 */
export function urgency(used: number | null): Urgency {
  return used === null || used < 0.8 ? 'calm' : used < 0.95 ? 'near' : 'over';
}

function known(value: Figure): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function two(value: number): string {
  return `${value}`.padStart(2, '0');
}
