import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Leaf, RASCAL_SECTIONS, type Section } from '../../src/options/rascal-config.js';
import { RLIMITS } from '../../src/options/rlimits.js';
import { GROUPS, type Option, variableName } from '../../src/options/table.js';

/** Writes docs/options.md from the options table. With --check it only reports whether the page is up to date. */

const target = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'options.md');

const INTRODUCTION = `# Options

Generated from \`src/options/table.ts\` by \`node --import tsx scripts/dev/options-doc.ts\`: do not edit.

\`proc_box [options] [--] <command> [arguments]\`. Options end at the first word that is not one, or after \`--\`;
everything after that belongs to the job. \`-x value\`, \`--x value\`, \`-x=value\` and \`--x=value\` are the same. A boolean
option without a value is on, and \`-x=false\` turns it off. Names are case-sensitive.

An option takes its value from the first of these sources that has one:

1. **The command line.** If an option is given twice, the last one counts.
2. **The variable**: \`PBOX_\` and the name in capitals, with \`_\` for \`-\`. An empty variable counts as not set. A variable
   that belongs to no option causes a warning.
3. **The config file**, with the option's name as key: \`--config\`, \`PBOX_CONFIG\`, or \`/etc/proc_box/config.yaml\` if it exists.
4. **The default.**

Every given value must parse, even if a stronger source overrides it. If a value does not parse, proc_box exits with status
125, and a line names the flag, the variable, or the file and its line; nothing is started. With \`--failure open\` (and \`--\`
before the command) proc_box leaves the value out, and runs the job in a box with the others.
`;

const VALUES = `## Values

**Durations** are written as in Go: numbers with \`ns\`, \`us\` (\`µs\`), \`ms\`, \`s\`, \`m\`, \`h\`, such as \`100ms\`, \`1.5h\`, \`1h30m\`. A
number without a unit is refused, except \`0\`, and so is a negative one. The maximum is 292 years. \`--timeout\` also takes
\`unlimited\`.

**Sizes** are bytes, or a number with \`K\`, \`M\`, \`G\`, \`T\` or \`P\`. These are powers of 1024, as in systemd and docker, whichever
way they are spelt (\`k\`, \`K\`, \`kB\`, \`KB\`, \`Ki\`, \`KiB\` are all 1024). \`1.5GiB\` is 1610612736; fractions of a byte are dropped.
\`--stdoutlimit\` also takes \`unlimited\`.

**Signals** are names or numbers as in kill(1), in upper or lower case: \`TERM\`, \`SIGTERM\`, \`15\`, \`-9\`, \`RTMIN+1\`.

**Booleans** are written as in Go: \`1\`, \`t\`, \`T\`, \`true\`, \`True\`, \`TRUE\`, and \`0\`, \`f\`, \`F\`, \`false\`, \`False\`, \`FALSE\`.

**URIs** are \`amqp://user:password@host:port/vhost\` or \`amqps://...\`. For several hosts, write whole URIs separated by commas,
or one URI whose hosts are separated by commas (\`amqp://u:p@h1:5672,h2:5672/vhost\`). The defaults are user and password
\`guest\`, port 5672 (amqps 5671) and vhost \`/\`. In user, password and vhost write \`/\` as \`%2F\`, \`@\` as \`%40\`, \`%\` as \`%25\`,
\`#\` as \`%23\` and \`?\` as \`%3F\`. The parameters are \`heartbeat\`, \`frameMax\`, \`channelMax\`, \`connection_timeout\`, \`locale\`, and
\`auth_mechanism=external\`, which logs in with the certificate of \`--tls-cert\`. If a URI does not parse, no message repeats any
part of it.

**\`--uri-file\`** names a file that must have mode 0600 (no rights for group and others) and belong to the user or root; \`~/\` is
the user's home. It and \`--uri\` are one setting: the stronger source counts, and giving both in one source is an error.
`;

const CONFIG = `## Config file

The file is YAML 1.2 and has at most 1 MiB. Its keys are the names of the options. An empty value counts as not set. A wrong
key is an error that names the file, the line and a similar key. \`config\`, \`failure\`, \`refuse\`, \`help\` and \`version\` cannot be
set in a file.

\`\`\`yaml
uri: [amqps://boxes:secret@mq1/hpc, amqps://boxes:secret@mq2/hpc]   # or one text with commas
sint: 30s
rlimit:                     # or a list: [nofile=1024:4096, core=0]
  nofile: 1024:4096
  core: 0
json: {cluster: hpc}        # or a text: '{"cluster": "hpc"}'
\`\`\`

**A site's locks.** \`locked: control-auth, uri\` (or a list) fixes options for everyone. It counts only in
\`/etc/proc_box/config.yaml\`. Each locked option has the value in this file, or its default, whatever file \`--config\` names. If a
flag, a variable or another file sets it to something else, proc_box exits with status 125 before the job starts. \`uri\` and
\`uri-file\` are locked together, and so are \`rkey\` and \`multiRmtKey\`, and \`control-auth\`, \`control-rules\` and \`control-keys\`.
\`proc_box ctl\` is not bound by locks.

A file of plain \`key: value\` lines costs nothing at start. Lists, maps and other YAML need the parser, which takes about 12 ms.
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

Write \`<resource>=<soft>:<hard>\`. \`<n>\` sets both, \`<soft>:\` and \`:<hard>\` set one of them; each is a number or \`unlimited\`.
Sizes take suffixes, and cpu and rttime take durations (rounded up). Separate several limits with commas. If flags, variable and
file give limits, the strongest source counts for each resource as a whole; within a source the last one counts.

| resource | unit of a plain number | limits |
|---|---|---|
${rows.join('\n')}
`;
}

function describeRascal(): string {
  const rows = flatten(RASCAL_SECTIONS, '').map(([path, { type, help }]) => `| \`${path}\` | ${type} | ${help} |`);
  return `## Appendix: keys of \`--rascal-config\`

This is a YAML or JSON file. The names are those of rascal, of amqplib (\`connection.options\`) and of Node's net and tls
(\`connection.socketOptions\`). Its values override those that proc_box sets itself. Any other key is an error: queues, bindings,
confirms and recovery belong to proc_box, because its promises depend on them. A \`pem\` is PEM text or the absolute path of a PEM
file, which is read at start; \`arguments\` is a mapping of names to strings, numbers or booleans.

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
