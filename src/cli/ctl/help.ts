import { COMMANDS, type CommandRow, usageOf } from '../../options/table/commands.js';
import { optionRows, row, wrap } from '../../options/verb-help.js';
import { BOX_OPTIONS, OWN_OPTIONS } from './options.js';

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
  return `${HEAD}${[...commands, KEYGEN].join('')}\nOptions:\n${optionRows(OWN_OPTIONS)}${TAIL}`;
}
