import { TextFiles } from 'cgroup-utils-native';

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

/** Reads the pressure files, which stay open until the reader is closed; null if the kernel has none. */
export interface PressureReader<Pressure = HostPressure> {
  (): Pressure | null;
  close(): void;
}

/**
 * Makes a reader that gives up once no file could be read: PSI is then missing or off for good (EOPNOTSUPP with psi=0).
 *
 * @param pathOf returns the path for `cpu`, `memory` or `io`, such as `/proc/pressure/cpu` or a cgroup's `cpu.pressure`
 */
export function pressureReader(pathOf: (resource: keyof HostPressure) => string): PressureReader {
  let files: TextFiles | undefined;
  let none = false;
  const read = () => {
    if (none) return null;
    files ??= new TextFiles(RESOURCES.map(pathOf));
    // ENOENT, EOPNOTSUPP and EACCES all mean that this box does not get the figure.
    const [cpu = null, memory = null, io = null] = files
      .read()
      .map((text) => (text === null ? null : parsePressure(text)));
    none = cpu === null && memory === null && io === null;
    return none ? null : { cpu, memory, io };
  };
  return Object.assign(read, { close: () => files?.close() });
}

const RESOURCES = ['cpu', 'memory', 'io'] as const;

/**
 * Reads the pressure of the box's cgroup if the kernel has it (v2, with any controllers), otherwise that of the host.
 *
 * @param cgroupDir null if the box has no v2 directory
 */
export function boxPressure(cgroupDir: string | null, hostDir = '/proc/pressure'): PressureReader<ScopedPressure> {
  const ofGroup = cgroupDir === null ? null : pressureReader((resource) => `${cgroupDir}/${resource}.pressure`);
  const ofHost = pressureReader((resource) => `${hostDir}/${resource}`);
  const read = (): ScopedPressure | null => {
    const group = ofGroup?.() ?? null;
    if (group !== null) return { scope: 'cgroup', ...group };
    const host = ofHost();
    return host === null ? null : { scope: 'host', ...host };
  };
  const close = () => {
    ofGroup?.close();
    ofHost.close();
  };
  return Object.assign(read, { close });
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
