import { COMMANDS, type CommandRow, usageOf } from '../../options/table/commands.js';
import type { VerbOption } from '../../options/verb-words.js';
import { BOX_OPTIONS, OWN_OPTIONS } from './options.js';

const INDENT = 30;

const HEAD = `usage: proc_box ctl [options] <command> [arguments]

Sends a remote command to boxes, and prints their answers.

Commands:
`;

const KEYGEN = row('keygen <key id>', 'make a key to sign commands with: proc_box ctl keygen --help');

const TAIL = `
The broker is set as for a box: by
  ${wrap(`--${BOX_OPTIONS.join(', --')},`).join('\n  ')}
by their PBOX_* variables, or by the config file. The first of several routing keys is used.

Examples:
  proc_box ctl --job 1234 suspend
  proc_box ctl --job 1234_7 --task 0 set_limit timeout 4h
  proc_box ctl --user alice --host node1 kill
  proc_box ctl --all --json status
To run a program that is called ctl: proc_box -- ctl

Exit status:
  0    every box that answered has carried the command out
  1    a box refused it
  2    there was no answer, or fewer than --answers
  125  an option is wrong, or the broker cannot be used
`;

/** The text of `proc_box ctl --help`; at most 100 columns. */
export function ctlHelp(): string {
  const commands = Object.entries<CommandRow>(COMMANDS).map(([name, command]) =>
    row(
      usageOf(name, command, (arg) => `<${arg}>`),
      command.help,
    ),
  );
  const options = Object.entries<VerbOption>(OWN_OPTIONS).map(([name, option]) => {
    const value = option.placeholder === undefined ? '' : ` <${option.placeholder}>`;
    const shown = option.default === undefined ? '' : ` (default ${option.default})`;
    return row(`--${name}${value}`, `${option.help}${shown}`);
  });
  return `${HEAD}${[...commands, KEYGEN].join('')}\nOptions:\n${options.join('')}${TAIL}`;
}

export function row(head: string, help: string): string {
  const begin = `\n${' '.repeat(INDENT)}`;
  const first = head.length + 2 < INDENT ? `  ${head}`.padEnd(INDENT) : `  ${head}${begin}`;
  return `${first}${wrap(help).join(begin)}\n`;
}

export function wrap(text: string): string[] {
  return text.match(/.{1,70}(?:\s|$)/g)?.map((line) => line.trimEnd()) ?? [text];
}
