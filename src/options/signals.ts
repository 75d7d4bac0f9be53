import { SpecError } from '../errors.js';
import { didYouMean, quote } from './words.js';

/** The real-time signals that glibc leaves to programs; it reserves 32 and 33 (signal(7)). */
const RTMIN = 34;
const RTMAX = 64;
/** Names by number, from 1, on x86, ARM and most other architectures (signal(7)). */
const NAMES = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
  'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');
/** Alternative names. */
const ALSO: Readonly<Record<string, string>> = { CLD: 'CHLD', IOT: 'ABRT', POLL: 'IO', UNUSED: 'SYS' };

/**
 * Parses a signal as in kill(1), in upper or lower case: `15`, `TERM`, `SIGTERM`, `-9`, `-TERM`, `RTMIN+1`, `RTMAX-1`.
 * @returns its number, 1 to 64
 * @throws SpecError for an unknown signal, and for 0, which sends nothing
 */
export function parseSignal(text: string): number {
  const word = text.replace(/^-/, '').toUpperCase();
  const name = word.replace(/^SIG/, '');
  const number = /^\d{1,2}$/.test(word) ? Number(word) : (numberOf(name) ?? realTime(name));
  if (number !== undefined && number >= 1 && number <= RTMAX) return number;
  const near = /^\d/.test(word) ? '' : didYouMean(name, knownNames());
  throw new SpecError(
    `${quote(text)} is not a signal: expected a name or a number from 1 to ${RTMAX}, for example "TERM" or "15"${near}`,
  );
}

/** Returns the name of a signal without `SIG`: `TERM`, `RTMIN+1`; or the number as text if it has no name. */
export function signalName(number: number): string {
  if (number === RTMIN) return 'RTMIN';
  if (number === RTMAX) return 'RTMAX';
  if (number > RTMIN && number < RTMAX) return `RTMIN+${number - RTMIN}`;
  return NAMES[number - 1] ?? String(number);
}

function knownNames(): string[] {
  return [...NAMES, ...Object.keys(ALSO), 'RTMIN', 'RTMAX'];
}

function numberOf(name: string): number | undefined {
  const index = NAMES.indexOf(Object.hasOwn(ALSO, name) ? ALSO[name]! : name);
  return index < 0 ? undefined : index + 1;
}

function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const offset = Number(match[3] ?? 0);
  const number =
    match[1] === 'MIN' ? RTMIN + (match[2] === '-' ? -offset : offset) : RTMAX - (match[2] === '+' ? -offset : offset);
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}
