import { printable } from '../../text.js';

/** One capability of this host for this user: the result of a check, and what would change it. */
export interface Row {
  readonly name: string;
  /** FAIL: boxes do not work as they should. WARN: something is weaker or missing. */
  readonly status: 'PASS' | 'WARN' | 'FAIL';
  /** Path, value or errno that shows it. */
  readonly evidence: string;
  /** Command, or file and line, that would change it; null if nothing needs to change. */
  readonly fix: string | null;
}

export function pass(name: string, evidence: string): Row {
  return { name, status: 'PASS', evidence, fix: null };
}

export function warn(name: string, evidence: string, fix: string): Row {
  return { name, status: 'WARN', evidence, fix };
}

export function fail(name: string, evidence: string, fix: string): Row {
  return { name, status: 'FAIL', evidence, fix };
}

/** Whether a kernel release such as `5.14.0-427.el9` is at least that version. */
export function atLeast(release: string, major: number, minor: number): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

const NAME_WIDTH = 20;

/** The row as text: one line, and the fix below it. */
export function formatRow({ name, status, evidence, fix }: Row): string {
  const line = `${status}  ${name.padEnd(NAME_WIDTH)} ${printable(evidence)}\n`;
  return fix === null ? line : `${line}      ${'fix:'.padStart(NAME_WIDTH)} ${printable(fix)}\n`;
}
