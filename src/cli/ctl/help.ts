import { BOX_OPTIONS, OWN_OPTIONS } from './options.js';

const INDENT = 30;

const HEAD = `usage: proc_box ctl [options] <command> [arguments]

Sends a remote command to boxes, and prints their answers.

Commands:
  stop [grace]                ask the job to end, and end it after the grace period
  kill [signal]               SIGKILL, or another signal, to every process
  suspend, resume             stop and go on; the wall clock limit waits as well
  sample                      take and publish a sample now
  change_sample_rate <d>      interval of statistics, at least 10ms
  timer_stop, timer_resume    wall clock timer off, and on again
  timer_reset, timer_start    to zero and off; on from zero
  set_limit <name> <value>    timeout, memory, pids, ..., or an rlimit: nofile 1024:4096;
                              +1h or -512M changes the limit in force by that much
  status                      identity, state, limits, timer, last sample
  ping                        which boxes there are: user, job, host, state, memory; a table
  keygen <key id>             makes a key to sign commands with: proc_box ctl keygen --help

Options:
`;

const TAIL = `
Where the broker is, is told as to a box, by
  ${wrap(`--${BOX_OPTIONS.join(', --')},`).join('\n  ')}
by their PBOX_* variables, or by the config file. Of several routing keys the first is used.

Examples:
  proc_box ctl --job 1234 suspend
  proc_box ctl --job 1234_7 --task 0 set_limit timeout 4h
  proc_box ctl --user alice --host node1 kill
  proc_box ctl --all --json status
To run a program that is called ctl: proc_box -- ctl

Exit status:
  0    every box that answered has done it
  1    a box refused it
  2    no answer, or fewer than --answers
  125  an option is wrong, or the broker cannot be used
`;

/** The text of `proc_box ctl --help`; at most 100 columns. */
export function ctlHelp(): string {
  const lines = Object.entries(OWN_OPTIONS).map(([name, option]) => {
    const head = `  --${name}${'placeholder' in option ? ` <${option.placeholder}>` : ''}`;
    const shown = 'default' in option ? ` (default ${option.default})` : '';
    return `${head.padEnd(INDENT)}${wrap(option.help + shown).join(`\n${' '.repeat(INDENT)}`)}`;
  });
  return `${HEAD}${lines.join('\n')}\n${TAIL}`;
}

function wrap(text: string): string[] {
  return text.match(/.{1,70}(?:\s|$)/g)?.map((line) => line.trimEnd()) ?? [text];
}
