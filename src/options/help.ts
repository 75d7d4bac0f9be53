import { USAGE } from './assemble.js';
import { GROUPS, type Option, variableName } from './table.js';

const COLUMNS = 100;
const INDENT = 30;

const EXAMPLES = `Examples:
  proc_box -uri none -timeout 1h ./job input.dat
  proc_box --uri-file ~/.proc_box_uri --rlimit nofile=4096 --sint 10s -- ./job --its-own option
  PBOX_URI=amqp://user:password@host PBOX_SKEY=hpc.stats proc_box --report make -j8`;

const EXIT_STATUS = `Exit status:
  that of the job; 128+n if signal n ended it
  124  the wall clock limit ended it
  125  proc_box itself failed, or an option is wrong: nothing was started
  126  the command cannot be executed
  127  the command was not found`;

/** Generates the text of `--help` from the options table, with at most 100 columns. */
export function helpText(): string {
  const groups = Object.entries(GROUPS).map(([heading, options]) => {
    const rows = Object.entries<Option>(options).map(([name, option]) => describeOption(name, option));
    return `${heading}:\n${rows.join('\n')}`;
  });
  const sources = [
    'Runs the command in a box: limits it, accepts remote commands for it over AMQP, publishes its usage.',
    `Almost every option can also be set by a variable (${variableName('uri-file')} for --uri-file) or in the`,
    'config file (uri-file: ...). The command line overrides the variable, and the variable the file.',
    'To send commands to running boxes: proc_box ctl --help',
    'To deliver messages that boxes have kept on disk: proc_box spool --help',
  ];
  return `${[USAGE, sources.join('\n'), ...groups, EXAMPLES, EXIT_STATUS].join('\n\n')}\n`;
}

function describeOption(name: string, option: Option): string {
  const head = `  --${name}${option.placeholder === undefined ? '' : ` <${option.placeholder}>`}`;
  const shown = option.type === 'boolean' || option.default === '' ? '' : ` (default ${option.default})`;
  const lines = wrap(option.help + shown, COLUMNS - INDENT);
  const first = head.length + 2 > INDENT ? `${head}\n${' '.repeat(INDENT)}` : head.padEnd(INDENT);
  return first + lines.join(`\n${' '.repeat(INDENT)}`);
}

/** @returns lines of at most `width` characters, unless a word is longer */
export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
