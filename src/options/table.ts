import { BROKER } from './table/broker.js';
import { CONTROL } from './table/control.js';
import { ENFORCEMENT } from './table/enforcement.js';
import { JOB } from './table/job.js';
import { LIMITS } from './table/limits.js';
import { MESSAGES } from './table/messages.js';
import type { Option } from './table/option.js';
import { PROGRAM } from './table/program.js';
import { STATISTICS } from './table/statistics.js';

export type { Option } from './table/option.js';

/**
 * The options table, the source of parsing, `--help`, the names of `PBOX_*` variables, the keys of the config file and
 * docs/options.md. Its rows are in table/, in one file per heading. A new option is one row there and, if the box needs it, one
 * field in assemble.ts.
 */
export const OPTIONS = {
  ...BROKER,
  ...MESSAGES,
  ...CONTROL,
  ...STATISTICS,
  ...LIMITS,
  ...ENFORCEMENT,
  ...JOB,
  ...PROGRAM,
};

/** The same options under the headings of `--help` and docs/options.md, in their order. */
export const GROUPS = {
  Broker: BROKER,
  Messages: MESSAGES,
  Control: CONTROL,
  Statistics: STATISTICS,
  Limits: { ...LIMITS, ...ENFORCEMENT },
  Job: JOB,
  Program: PROGRAM,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Option>>>>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

type Row<N extends OptionName> = (typeof OPTIONS)[N];

/** The type of an option's parsed value; undefined if it has no default and was not given. */
export type OptionValue<N extends OptionName> =
  | ReturnType<Row<N>['parse']>
  | (Row<N> extends { readonly repeatable: true } ? never : Row<N>['default'] extends '' ? undefined : never);

/** Returns the row of an option, or undefined. Safe for any text. */
export function findOption(name: string): (Option & { readonly name: OptionName }) | undefined {
  return Object.hasOwn(OPTIONS, name) ? { ...OPTIONS[name as OptionName], name: name as OptionName } : undefined;
}

/** Returns `PBOX_OUTBOX_BYTES` for `outbox-bytes`. */
export function variableName(name: string): string {
  return `PBOX_${name.toUpperCase().replaceAll('-', '_')}`;
}
