import { wrap } from '../../../src/options/help.js';

/** The little of mdoc(7) that the pages need. `mandoc -T lint` accepts what these functions make. */

const COLUMNS = 78;

/** Text as the body of a page: a sentence begins a line, no line is long, and nothing is taken for a macro. */
export function prose(text: string): string {
  return sentences(text)
    .flatMap((sentence) => wrap(escaped(sentence), COLUMNS))
    .map(guarded)
    .join('\n');
}

function sentences(text: string): string[] {
  return text
    .replaceAll(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.!?][)"']?) (?=["(]?[A-Z-])/);
}

/** A line that is not taken for a macro. */
function guarded(text: string): string {
  return text.replace(/^([.'])/, '\\&$1');
}

export function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('--', '\\-\\-');
}

/** An argument of a macro, which may have blanks. */
export function argument(text: string): string {
  const safe = escaped(text).replaceAll('"', '""');
  return /[\s"]/.test(safe) || safe === '' ? `"${safe}"` : safe.replace(/^([.,:;()[\]?!|])$/, '\\&$1');
}

/** The words of a usage: `spool list [--json] <job>`. */
export function synopsis(usage: string): string {
  return (usage.match(/\[[^\]]*\]|\S+(?: <[^>]*>)?/g) ?? [])
    .map((part) => {
      const optional = /^\[(.*)\]$/.exec(part)?.[1];
      return optional === undefined ? `.${synopsisPart(part)}` : `.Op ${synopsisPart(optional)}`;
    })
    .join('\n');
}

function synopsisPart(text: string): string {
  const [, name, value] = /^--([\w-]+)(?: <(.+)>)?$/.exec(text) ?? [];
  if (name !== undefined) return `Fl -${name}${value === undefined ? '' : ` Ar ${argument(value)}`}`;
  const placeholder = /^<(.+)>$/.exec(text)?.[1];
  if (placeholder !== undefined || text.includes(' ') || text === 'options' || text === 'arguments')
    return `Ar ${argument(placeholder ?? text)}`;
  return `Cm ${argument(text)}`;
}

/** `.It Fl -name Ar value` */
export function optionItem(name: string, placeholder: string | undefined): string {
  return `.It Fl -${name}${placeholder === undefined ? '' : ` Ar ${argument(placeholder)}`}`;
}

export function list(items: readonly (readonly [item: string, body: string])[]): string {
  if (items.length === 0) return '';
  return ['.Bl -tag -width Ds', ...items.flatMap(([item, body]) => (body === '' ? [item] : [item, body])), '.El'].join(
    '\n',
  );
}

export function literal(lines: readonly string[]): string {
  return ['.Bd -literal -offset indent', ...lines.map((one) => guarded(escaped(one))), '.Ed'].join('\n');
}

export interface Page {
  readonly name: string;
  readonly section: 1 | 5 | 7;
  /** Seconds since 1970. */
  readonly epochSec: number;
  readonly summary: string;
  readonly sections: readonly (readonly [heading: string, body: string])[];
  readonly seeAlso: readonly (readonly [name: string, section: number])[];
}

/** A whole page. */
export function page({ name, section, epochSec, summary, sections, seeAlso }: Page): string {
  const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October'];
  const date = new Date(epochSec * 1000);
  const month = [...months, 'November', 'December'][date.getUTCMonth()];
  const others = seeAlso
    .filter(([other, of]) => other !== name || of !== section)
    .toSorted((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
  const references = others.map(([other, of], index) => `.Xr ${other} ${of}${index + 1 < others.length ? ' ,' : ''}`);
  return [
    `.\\" Made by npm run package from the tables of proc_box: do not edit.`,
    `.Dd ${month} ${date.getUTCDate()}, ${date.getUTCFullYear()}`,
    `.Dt ${name.toUpperCase()} ${section}`,
    '.Os',
    '.Sh NAME',
    `.Nm ${name}`,
    `.Nd ${escaped(summary)}`,
    ...sections.filter(([, body]) => body !== '').flatMap(([heading, body]) => [`.Sh ${heading}`, body]),
    '.Sh SEE ALSO',
    ...references,
    '',
  ].join('\n');
}
