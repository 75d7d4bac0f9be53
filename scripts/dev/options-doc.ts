import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Leaf, RASCAL_SECTIONS, type Section } from '../../src/options/rascal-config.js';
import { RLIMITS } from '../../src/options/rlimits.js';
import { GROUPS, type Option, variableName } from '../../src/options/table.js';

/** Writes docs/options.md from the options table; with --check only says whether it is up to date. */

const target = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'options.md');

const INTRODUCTION = `# Options

Generated from \`src/options/table.ts\` by \`node --import tsx scripts/dev/options-doc.ts\`: do not edit.

\`proc_box [options] [--] <command> [arguments]\`. Options end at the first word that is not one, or after \`--\`; what
follows belongs to the job. \`-x value\`, \`--x value\`, \`-x=value\` and \`--x=value\` are the same; an option without a value
is on, \`-x=false\` turns it off. Names are case-sensitive.

| what counts, first to last | |
|---|---|
| command line | of an option that is given twice the last one |
| variable | \`PBOX_\` and the name in capitals, \`-\` as \`_\`; an empty one counts as not set; one that no option has is a warning |
| config file | the option's name as key; \`--config\`, \`PBOX_CONFIG\`, or \`/etc/proc_box/config.yaml\` where it exists |
| default | |

Every value that is given must parse, also one that a stronger source overrides. A value that does not parse ends
proc_box with exit status 125 and a line that names the flag, the variable, or the file and its line; nothing is started. With
\`--failure open\` (and \`--\` before the command) it is left out, and the job runs in a box with what is left.
`;

const VALUES = `## Values

**Durations** are Go's: numbers with \`ns\`, \`us\` (\`µs\`), \`ms\`, \`s\`, \`m\`, \`h\`, such as \`100ms\`, \`1.5h\`, \`1h30m\`. A number
without a unit is refused, except \`0\`. Negative ones are refused. At most 292 years. \`--timeout\` also takes \`unlimited\`.

**Sizes** are bytes, or a number with \`K\`, \`M\`, \`G\`, \`T\` or \`P\`: powers of 1024, as in systemd and docker, whatever the
spelling (\`k\`, \`K\`, \`kB\`, \`KB\`, \`Ki\`, \`KiB\` are all 1024). \`1.5GiB\` is 1610612736; what is below a byte is dropped.
\`--stdoutlimit\` also takes \`unlimited\`.

**Signals** are names or numbers as in kill(1): \`TERM\`, \`SIGTERM\`, \`15\`, \`-9\`, \`RTMIN+1\`; case does not count.

**Booleans** are Go's: \`1\`, \`t\`, \`T\`, \`true\`, \`True\`, \`TRUE\`, and \`0\`, \`f\`, \`F\`, \`false\`, \`False\`, \`FALSE\`.

**URIs** are \`amqp://user:password@host:port/vhost\` or \`amqps://...\`. Several hosts: whole URIs with commas between them,
or hosts with commas between them in one (\`amqp://u:p@h1:5672,h2:5672/vhost\`). Defaults: user and password \`guest\`, port
5672 (amqps 5671), vhost \`/\`. In user, password and vhost write \`/\` as \`%2F\`, \`@\` as \`%40\`, \`%\` as \`%25\`, \`#\` as \`%23\`,
\`?\` as \`%3F\`. Parameters: \`heartbeat\`, \`frameMax\`, \`channelMax\`, \`connection_timeout\`, \`locale\`, and
\`auth_mechanism=external\`, which logs in by the certificate of \`--tls-cert\`. No message repeats any part of a URI that does
not parse.

**\`--uri-file\`** must have mode 0600 (nothing for group and others) and belong to the user or root; \`~/\` is
the user's home. It and \`--uri\` are one setting: the one from the stronger source counts, and both from one source are an
error.
`;

const CONFIG = `## Config file

YAML 1.2, at most 1 MiB; keys are the names of the options. An empty value counts as not set. A wrong key is an error
that names file, line and the near key.

\`\`\`yaml
uri: [amqps://boxes:secret@mq1/hpc, amqps://boxes:secret@mq2/hpc]   # or one text with commas
sint: 30s
rlimit:                     # or a list: [nofile=1024:4096, core=0]
  nofile: 1024:4096
  core: 0
json: {cluster: hpc}        # or a text: '{"cluster": "hpc"}'
\`\`\`

**A site's locks.** In \`/etc/proc_box/config.yaml\` alone, \`locked: control-auth, uri\` (or a list) fixes options for everyone:
each is what this file says, or its default, whatever \`--config\` names, and one that a flag, a variable or another file sets
to something else ends proc_box with exit status 125 before the job starts. \`uri\` and \`uri-file\` are locked together, as are
\`rkey\` and \`multiRmtKey\`, and \`control-auth\`, \`control-rules\` and \`control-keys\`. \`proc_box ctl\` is not bound by it.

A file of plain \`key: value\` lines costs nothing at start; lists, maps and other YAML need its parser, about 12 ms.
`;

/** The whole page. */
export function optionsPage(): string {
  return [
    INTRODUCTION,
    ...Object.entries(GROUPS).map(describeGroup),
    VALUES,
    CONFIG,
    describeRlimits(),
    describeRascal(),
  ].join('\n');
}

function describeGroup([heading, options]: [string, Readonly<Record<string, Option>>]): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const { placeholder, default: fallback, type, help, only, repeatable } = option;
    const flag = `\`--${name}${placeholder === undefined ? '' : ` <${cell(placeholder)}>`}\``;
    const variable = only === 'command line' ? '' : `\`${variableName(name)}\``;
    const kind = repeatable ? `${type}, repeatable` : type;
    const note = only === 'not in a file' ? '; not in a config file' : '';
    return `| ${flag} | ${variable} | ${kind} | ${fallback === '' ? '' : `\`${fallback}\``} | ${cell(help + note)} |`;
  });
  return `## ${heading}\n\n| option | variable | type | default | meaning |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function describeRlimits(): string {
  const rows = Object.entries(RLIMITS).map(([name, { unit, help }]) => `| \`${name}\` | ${unit} | ${help} |`);
  return `## Resources of \`--rlimit\`

\`<resource>=<soft>:<hard>\`; \`<n>\` sets both, \`<soft>:\` and \`:<hard>\` one of them; each a number or \`unlimited\`. Sizes
take suffixes, cpu and rttime take durations (rounded up). Several stand with commas between them. Of the limits that
flags, variable and file give, the strongest source counts for each resource, whole; the last one within a source.

| resource | unit of a plain number | limits |
|---|---|---|
${rows.join('\n')}
`;
}

function describeRascal(): string {
  const rows = flatten(RASCAL_SECTIONS, '').map(([path, { type, help }]) => `| \`${path}\` | ${type} | ${help} |`);
  return `## Appendix: keys of \`--rascal-config\`

A YAML or JSON file. Names are rascal's, amqplib's (\`connection.options\`) and Node's net and tls (\`connection.socketOptions\`).
What is given here is merged over what proc_box sets itself. Any other key is an error: queues, bindings, confirms and
recovery are proc_box's own, because its promises rest on them. A \`pem\` is PEM text or the absolute path of a PEM file,
which is read at start; \`arguments\` is a mapping of names to texts, numbers or booleans.

| key | type | meaning |
|---|---|---|
${rows.join('\n')}
`;
}

function flatten(section: Section, prefix: string): [string, Leaf][] {
  return Object.entries(section).flatMap(([key, rule]) =>
    typeof rule['type'] === 'string'
      ? [[prefix + key, rule as Leaf] as [string, Leaf]]
      : flatten(rule as Section, `${prefix}${key}.`),
  );
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/<[a-z]+>/g, (word) => `\`${word}\``);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = optionsPage();
  if (!process.argv.includes('--check')) {
    writeFileSync(target, page);
  } else if (readFileSync(target, 'utf8') !== page) {
    process.stderr.write('docs/options.md is out of date; run: node --import tsx scripts/dev/options-doc.ts\n');
    process.exitCode = 1;
  }
}
