import { isSpecError } from '../errors.js';
import { COMMAND_NAMES, type Command, findCommand, usageOf } from '../options/table/commands.js';
import { didYouMean, quote } from '../options/words.js';
import { type CommandRequest, type Refusal, refuse } from './message.js';

/**
 * Turns the name and arguments of a request into a Command, by the table of commands. The box checks later what depends
 * on its state.
 */

/** The longest useful argument is a list of CPUs. */
const ARGUMENT_MAX_CHARACTERS = 32_768;

/** @returns the command, or why it is refused; a refused command has no effect */
export function toCommand(request: CommandRequest): Command | Refusal {
  const { name, args } = request;
  const row = findCommand(name);
  if (row === undefined) return refuse('unknown_command', `unknown command ${quote(name)}${meant(name)}`, name, args);
  const most = row.args?.length ?? 0;
  if (args.length > most || (args.length < most && row.optional !== true)) {
    const expected = `expected ${usageOf(name, row)}`;
    return refuse('bad_arguments', `${name} was given ${args.length} arguments: ${expected}`, name, args);
  }
  const long = args.find((value) => value.length > ARGUMENT_MAX_CHARACTERS);
  if (long !== undefined) {
    const message = `${name} was given an argument of ${long.length} characters: at most ${ARGUMENT_MAX_CHARACTERS} are accepted`;
    return refuse('bad_arguments', message, name, args);
  }
  try {
    return { name, ...row.parse?.(args) } as Command;
  } catch (error) {
    if (!isSpecError(error)) throw error;
    return refuse('bad_arguments', `${name}: ${error.message}`, name, args);
  }
}

/** A hint: the command that other programs call by this name, or one with a similar spelling. */
function meant(name: string): string {
  const word = name.toLowerCase();
  const other = COMMAND_NAMES.find((known) => findCommand(known)?.aliases?.includes(word));
  return other === undefined ? didYouMean(name, COMMAND_NAMES) : `; did you mean "${other}"?`;
}
