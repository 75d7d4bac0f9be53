import { parseInterval } from '../intervals.js';
import { parseSignal } from '../signals.js';
import { parseDuration } from '../units.js';

/**
 * The names of all remote commands. They are apart from the rows because the launch path needs only the names
 * (--control-rules). The compiler checks that each has its row below.
 */
export const COMMAND_NAMES = [
  'stop',
  'suspend',
  'resume',
  'kill',
  'sample',
  'change_sample_rate',
  'timer_reset',
  'timer_start',
  'timer_stop',
  'timer_resume',
  'set_limit',
  'status',
  'ping',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

/** A row of the table of commands, which boxes, `proc_box ctl` and the tests of the documents read. */
export interface CommandRow {
  /** Names of its arguments. @default no arguments */
  readonly args?: readonly string[];
  /** The arguments may be left out. */
  readonly optional?: true;
  /** Parses its arguments, whose number has been checked. @throws SpecError */
  readonly parse?: (args: readonly string[]) => object;
  /** Names that other programs have for it. */
  readonly aliases?: readonly string[];
  /** The line in `proc_box ctl --help`. */
  readonly help: string;
  /** It changes nothing, so nobody minds if it is carried out twice. */
  readonly onlyAsks?: true;
  /** How `proc_box ctl` shows its answer. @default just its fields */
  readonly answer?: 'with its sample' | 'as a row of a table';
}

const SIGKILL = 9;

/** The table of commands. A new command needs a name above, a row here, its implementation in box/commands.ts, and a test. */
export const COMMANDS = {
  stop: {
    args: ['grace'],
    optional: true,
    parse: ([grace]: readonly string[]): { readonly graceMs?: number } =>
      grace === undefined ? {} : { graceMs: parseDuration(grace) },
    aliases: ['terminate', 'cancel', 'end', 'quit'],
    help: 'ask the job to end, and end it after the grace period',
  },
  suspend: {
    aliases: ['pause', 'freeze', 'hold'],
    help: 'suspend every process and the wall clock timer',
  },
  resume: {
    aliases: ['continue', 'cont', 'unpause', 'thaw', 'unfreeze'],
    help: 'resume the processes and the wall clock timer',
  },
  kill: {
    args: ['signal'],
    optional: true,
    parse: ([signal]: readonly string[]) => ({ signal: signal === undefined ? SIGKILL : parseSignal(signal) }),
    help: 'send SIGKILL, or another signal, to every process',
  },
  sample: {
    help: 'take and publish a sample now',
    answer: 'with its sample',
  },
  change_sample_rate: {
    args: ['interval'],
    parse: ([interval = '']: readonly string[]) => ({ intervalMs: parseInterval(interval) }),
    help: 'set the interval of statistics, at least 10ms',
  },
  timer_reset: { help: 'set the wall clock timer to zero and switch it off' },
  timer_start: { help: 'start the wall clock timer from zero' },
  timer_stop: { help: 'switch the wall clock timer off' },
  timer_resume: { help: 'switch the wall clock timer on again, without resetting it' },
  set_limit: {
    args: ['name', 'value'],
    parse: ([limit = '', value = '']: readonly string[]) => ({ limit, value }),
    aliases: ['limit', 'set'],
    help: 'set timeout, memory, pids, ..., or an rlimit: nofile 1024:4096; +1h or -512M changes the limit in force by this amount',
  },
  status: {
    onlyAsks: true,
    aliases: ['info', 'show', 'stat', 'limits'],
    help: 'show identity, state, limits, timer, last sample',
    answer: 'with its sample',
  },
  ping: {
    onlyAsks: true,
    help: 'list the boxes: user, job, host, state, memory',
    answer: 'as a row of a table',
  },
} as const satisfies Readonly<Record<CommandName, CommandRow>>;

type Rows = typeof COMMANDS;
type Parsed<Row> = Row extends { readonly parse: (args: readonly string[]) => infer Fields } ? Fields : unknown;

/** A command with its parsed arguments. */
export type Command = { [Name in CommandName]: { readonly name: Name } & Readonly<Parsed<Rows[Name]>> }[CommandName];

/** Returns the row of a command, or undefined. Safe for any text. */
export function findCommand(name: string): CommandRow | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name as CommandName] : undefined;
}

/** Returns `stop [grace]` or `set_limit name value`. @param shown formats a mandatory argument, for example as `<name>` */
export function usageOf(name: string, { args = [], optional }: CommandRow, shown = (arg: string) => arg): string {
  return [name, ...args.map((arg) => (optional ? `[${arg}]` : shown(arg)))].join(' ');
}
