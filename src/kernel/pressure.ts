import { readText } from 'cgroup-utils-native';
import type { Texts } from './texts.js';

/** A line of a pressure file (accounting/psi.rst): shares of time in percent, and the total. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly total_usec: number;
}

/** `some`: at least one task was stalled; `full`: all tasks were at once (null if this kernel does not report it). */
export interface PressureOf {
  readonly some: PressureLine;
  readonly full: PressureLine | null;
}

export interface HostPressure {
  readonly cpu: PressureOf | null;
  readonly memory: PressureOf | null;
  readonly io: PressureOf | null;
}

export interface ScopedPressure extends HostPressure {
  readonly scope: 'host' | 'cgroup';
}

/** The pressure of a box: of its group if the kernel has that (v2, with any controllers), otherwise of the host. */
export interface BoxPressure {
  /** The files of the group that are to be read with the next sample. */
  files(): readonly string[];
  /** @param texts of `files` @returns null if the kernel has no pressure files */
  read(texts: Texts): ScopedPressure | null;
}

/**
 * Gives up files once none of them could be read: PSI is then missing or off for good (EOPNOTSUPP with psi=0).
 * @param cgroupDir null if the box has no v2 directory
 */
export function boxPressure(cgroupDir: string | null, hostDir = '/proc/pressure'): BoxPressure {
  const ofGroup = cgroupDir === null ? [] : RESOURCES.map((resource) => `${cgroupDir}/${resource}.pressure`);
  const ofHost = RESOURCES.map((resource) => `${hostDir}/${resource}`);
  let hasGroup = ofGroup.length > 0;
  let hasHost = true;
  return {
    files: () => (hasGroup ? ofGroup : NONE),
    read(texts) {
      const group = hasGroup ? parseAll(ofGroup.map((path) => texts.get(path))) : null;
      hasGroup = group !== null;
      if (group !== null) return { scope: 'cgroup', ...group };
      const host = hasHost ? parseAll(ofHost.map(readText)) : null;
      hasHost = host !== null;
      return host === null ? null : { scope: 'host', ...host };
    },
  };
}

const NONE: readonly string[] = [];
const RESOURCES = ['cpu', 'memory', 'io'] as const;

/** ENOENT, EOPNOTSUPP and EACCES all mean that this box does not get the figure. */
function parseAll(texts: readonly (string | null | undefined)[]): HostPressure | null {
  const [cpu = null, memory = null, io = null] = texts.map((text) => (text == null ? null : parsePressure(text)));
  return cpu === null && memory === null && io === null ? null : { cpu, memory, io };
}

/** Parses a pressure file; null if it has no `some` line. */
export function parsePressure(text: string): PressureOf | null {
  const some = line(text, 'some ');
  return some === null ? null : { some, full: line(text, 'full ') };
}

const FIGURES = /avg10=([\d.]+) avg60=([\d.]+) .*?total=(\d+)/;

function line(text: string, head: string): PressureLine | null {
  const start = text.indexOf(head);
  if (start < 0) return null;
  const found = FIGURES.exec(text.slice(start, start + 120));
  return found === null ? null : { avg10: Number(found[1]), avg60: Number(found[2]), total_usec: Number(found[3]) };
}
