import { BROKER } from './table/broker.js';
import { CONTROL } from './table/control.js';
import { HOLDING } from './table/holding.js';
import { JOB } from './table/job.js';
import { LIMITS } from './table/limits.js';
import { MESSAGES } from './table/messages.js';
import type { Option } from './table/option.js';
import { PROGRAM } from './table/program.js';
import { STATISTICS } from './table/statistics.js';

export type { Option } from './table/option.js';

/**
 * The options table: parsing, `--help`, the `PBOX_*` names, the keys of the config file and docs/options.md come from
 * it. Its rows are in options/, a file for each heading: a new option is one row there and, where the box needs it, one
 * field in assemble.ts.
 */
export const OPTIONS = { ...BROKER, ...MESSAGES, ...CONTROL, ...STATISTICS, ...LIMITS, ...HOLDING, ...JOB, ...PROGRAM };

/** The same by the headings of `--help` and docs/options.md, in their order. */
export const GROUPS = {
  Broker: BROKER,
  Messages: MESSAGES,
  Control: CONTROL,
  Statistics: STATISTICS,
  Limits: { ...LIMITS, ...HOLDING },
  Job: JOB,
  Program: PROGRAM,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Option>>>>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

type Row<N extends OptionName> = (typeof OPTIONS)[N];

/** What an option's text becomes; undefined where it has no default and was not given. */
export type OptionValue<N extends OptionName> =
  | ReturnType<Row<N>['parse']>
  | (Row<N> extends { readonly repeatable: true } ? never : Row<N>['default'] extends '' ? undefined : never);

/** The row of an option, or undefined; safe for any text. */
export function findOption(name: string): (Option & { readonly name: OptionName }) | undefined {
  return Object.hasOwn(OPTIONS, name) ? { ...OPTIONS[name as OptionName], name: name as OptionName } : undefined;
}

/** `PBOX_OUTBOX_BYTES` for `outbox-bytes`. */
export function variableName(name: string): string {
  return `PBOX_${name.toUpperCase().replaceAll('-', '_')}`;
}
