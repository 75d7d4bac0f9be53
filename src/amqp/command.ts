import { SpecError } from '../errors.js';
import type { Command, CommandName } from '../model/types.js';
import { parseSignal } from '../options/signals.js';
import { parseDuration } from '../options/units.js';
import { parseInterval } from '../options/values.js';
import { didYouMean, quote } from '../options/words.js';
import { type Refusal, type Request, refuse } from './message.js';

/** Name and arguments as text -> Command. One row a command; the box checks what depends on its state. */

interface Row {
  readonly usage: string;
  readonly min: number;
  readonly max: number;
  /** @throws SpecError */
  readonly parse: (args: readonly string[]) => Command;
}

const SIGKILL = 9;
/** The longest that means anything is a list of CPUs. */
const ARGUMENT_MAX_CHARACTERS = 32_768;

const COMMANDS: { readonly [Name in CommandName]: Row } = {
  stop: {
    usage: 'stop [grace]',
    min: 0,
    max: 1,
    parse: ([grace]) => (grace === undefined ? { name: 'stop' } : { name: 'stop', graceMs: parseDuration(grace) }),
  },
  suspend: bare('suspend'),
  resume: bare('resume'),
  kill: {
    usage: 'kill [signal]',
    min: 0,
    max: 1,
    parse: ([signal]) => ({ name: 'kill', signal: signal === undefined ? SIGKILL : parseSignal(signal) }),
  },
  sample: bare('sample'),
  change_sample_rate: {
    usage: 'change_sample_rate interval',
    min: 1,
    max: 1,
    parse: ([interval = '']) => ({ name: 'change_sample_rate', intervalMs: parseInterval(interval) }),
  },
  timer_reset: bare('timer_reset'),
  timer_start: bare('timer_start'),
  timer_stop: bare('timer_stop'),
  timer_resume: bare('timer_resume'),
  set_limit: {
    usage: 'set_limit name value',
    min: 2,
    max: 2,
    parse: ([limit = '', value = '']) => ({ name: 'set_limit', limit, value }),
  },
  status: bare('status'),
  ping: bare('ping'),
};

/** What other programs call these commands. */
const OTHER_WORDS: ReadonlyMap<string, CommandName> = new Map([
  ...['pause', 'freeze', 'hold'].map((word) => [word, 'suspend'] as const),
  ...['continue', 'cont', 'unpause', 'thaw', 'unfreeze'].map((word) => [word, 'resume'] as const),
  ...['terminate', 'cancel', 'end', 'quit'].map((word) => [word, 'stop'] as const),
  ...['info', 'show', 'stat', 'limits'].map((word) => [word, 'status'] as const),
  ...['limit', 'set'].map((word) => [word, 'set_limit'] as const),
]);

/** A command, or why there is none: nothing of a refused command is carried out. */
export function toCommand(request: Request): Command | Refusal {
  const { name, args } = request;
  if (!Object.hasOwn(COMMANDS, name)) {
    const other = OTHER_WORDS.get(name.toLowerCase());
    const near = other === undefined ? didYouMean(name, Object.keys(COMMANDS)) : `; did you mean "${other}"?`;
    return refuse('unknown_command', `unknown command ${quote(name)}${near}`, name, args);
  }
  const row = COMMANDS[name as CommandName];
  if (args.length < row.min || args.length > row.max) {
    return refuse('bad_arguments', `${name} was given ${args.length} arguments: expected ${row.usage}`, name, args);
  }
  const long = args.find((value) => value.length > ARGUMENT_MAX_CHARACTERS);
  if (long !== undefined) {
    const message = `${name} was given an argument of ${long.length} characters: at most ${ARGUMENT_MAX_CHARACTERS} are read`;
    return refuse('bad_arguments', message, name, args);
  }
  try {
    return row.parse(args);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return refuse('bad_arguments', `${name}: ${error.message}`, name, args);
  }
}

function bare<Name extends Exclude<CommandName, 'stop' | 'kill' | 'change_sample_rate' | 'set_limit'>>(
  name: Name,
): Row {
  return { usage: name, min: 0, max: 0, parse: () => ({ name }) as Command };
}
