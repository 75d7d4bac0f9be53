import t from 'tap';
import { ctlHelp } from '../../../src/cli/ctl/help.js';
import { BOX_OPTIONS, OWN_OPTIONS } from '../../../src/cli/ctl/options.js';
import { COMMAND_NAMES } from '../../../src/options/table/commands.js';

const text = ctlHelp();

t.test('has every command and option, and no line over 100 columns', async (t) => {
  for (const name of COMMAND_NAMES) t.match(text, new RegExp(`^  ${name}\\b`, 'm'), name);
  for (const name of Object.keys(OWN_OPTIONS)) t.match(text, new RegExp(`^  --${name}\\b`, 'm'), name);
  for (const name of BOX_OPTIONS) t.match(text, `--${name},`, name);
  for (const status of [0, 1, 2, 125]) t.match(text, new RegExp(`^  ${status} +\\S`, 'm'));
  for (const line of text.split('\n')) {
    t.ok(line.length <= 100, line);
    t.equal(line, line.trimEnd());
  }
});

t.test('arguments stand beside their command, defaults beside their option', async (t) => {
  t.match(text, /^ {2}set_limit <name> <value>( {2,}|\n {30})\S/m);
  t.match(text, /^ {2}stop \[grace\] +\S/m, 'an optional argument');
  t.match(text, /^ {2}--wait <duration> [^-]*\(default\s+3s\)/m);
  t.match(text, /^ {2}--all {2,}\S/m, 'a flag has no value');
});

t.test('long texts continue below, in their own column', async (t) => {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith('  --sign-key'));
  t.match(lines.slice(at, at + 2), [/^ {2}--sign-key <path> +sign the command/, /^ {30}\S/]);
});
