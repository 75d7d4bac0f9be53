import { TextFiles } from 'cgroup-utils-native';

/** One line of a pressure file (accounting/psi.rst): share of time in percent, and the total. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly total_usec: number;
}

/** `some`: at least one task was stalled; `full`: all were at once (null: not told by this kernel). */
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

/** Reads the pressure files; null where the kernel has none. They stay open until it is closed. */
export interface PressureReader<Pressure = HostPressure> {
  (): Pressure | null;
  close(): void;
}

/**
 * Where none could be read once, none is tried again: PSI is absent or switched off for good (EOPNOTSUPP with psi=0).
 *
 * @param pathOf path of the file for `cpu`, `memory`, `io`: `/proc/pressure/cpu` or a cgroup's `cpu.pressure`
 */
export function pressureReader(pathOf: (resource: keyof HostPressure) => string): PressureReader {
  let files: TextFiles | undefined;
  let none = false;
  const read = () => {
    if (none) return null;
    files ??= new TextFiles(RESOURCES.map(pathOf));
    // ENOENT, EOPNOTSUPP, EACCES: all mean that this box gets no such figure.
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
 * Pressure of the box's cgroup where the kernel has it (v2, whatever its controllers), else of the whole host.
 *
 * @param cgroupDir null where the box has no v2 directory
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

/** @returns null where there is no `some` line */
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
