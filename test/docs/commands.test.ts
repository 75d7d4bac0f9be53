import { readFileSync } from 'node:fs';
import t from 'tap';
import { ctlHelp } from '../../src/cli/ctl/help.js';
import { COMMAND_NAMES, COMMANDS, type CommandRow, usageOf } from '../../src/options/table/commands.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const [table = ''] = /^\| command \| arguments \|.*?\n\n/ms.exec(read('docs/messages.md')) ?? [];
/** Command and arguments, as the table in docs/messages.md has them. */
const documented = new Map(
  [...table.matchAll(/^\| ([a-z_]+) \| (.*?) ?\| /gm)].map(([, name = '', args = '']) => [name, args]),
);

t.test('README, docs/messages.md and the schema have every command of the table', async (t) => {
  const { properties } = JSON.parse(read('docs/schema/command.json'));
  const readme = read('README.md');
  for (const name of COMMAND_NAMES) {
    t.match(readme, `\`${name}\``, `README: ${name}`);
    const { args = [], optional }: CommandRow = COMMANDS[name];
    const shown = args.map((arg) => (optional ? `[${arg}]` : arg)).join(', ');
    t.equal(documented.get(name), shown, `docs/messages.md: ${name}`);
  }
  t.strictSame(properties.command.enum, COMMAND_NAMES, 'command.json');
});

t.test('names and rows have the same order, and ctl --help has a line for each', async (t) => {
  t.strictSame(Object.keys(COMMANDS), COMMAND_NAMES.toSorted(byRow));
  const help = ctlHelp();
  for (const [name, row] of Object.entries<CommandRow>(COMMANDS)) {
    t.match(help, `\n  ${usageOf(name, row, (arg) => `<${arg}>`)}`, name);
  }
  for (const line of help.split('\n')) t.ok(line.length <= 100, line);
});

function byRow(a: string, b: string): number {
  const names = Object.keys(COMMANDS);
  return names.indexOf(a) - names.indexOf(b);
}

t.test('no two commands have the same alias, and no alias is a command', async (t) => {
  const aliases = Object.values<CommandRow>(COMMANDS).flatMap((row) => row.aliases ?? []);
  t.equal(new Set(aliases).size, aliases.length);
  for (const alias of aliases) t.notOk(Object.hasOwn(COMMANDS, alias), alias);
});
