import t from 'tap';
import { helpText } from '../../src/options/help.js';
import { GROUPS, OPTION_NAMES, OPTIONS, type Option } from '../../src/options/table.js';

t.test('the help names every option once, in at most 100 columns', async (t) => {
  const lines = helpText().split('\n');
  for (const line of lines) t.ok(line.length <= 100, line);
  for (const name of OPTION_NAMES)
    t.equal(lines.filter((line) => new RegExp(`^  --${name}( |$)`).test(line)).length, 1, name);
  for (const heading of Object.keys(GROUPS)) t.ok(lines.includes(`${heading}:`), heading);
  t.match(helpText(), /Examples:\n(?: {2}.+\n){3}\nExit status:\n/);
  t.ok(helpText().endsWith('\n'));
});

t.test('every default parses, every value has a placeholder, no two variables are one', async (t) => {
  for (const name of OPTION_NAMES) {
    const option: Option = OPTIONS[name];
    if (option.default !== '') t.doesNotThrow(() => option.parse(option.default), name);
    t.equal(option.placeholder === undefined, option.type === 'boolean', name);
  }
  t.equal(new Set(OPTION_NAMES.map((name) => name.toUpperCase())).size, OPTION_NAMES.length);
});
