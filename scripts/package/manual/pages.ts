import { RLIMITS } from '../../../src/options/rlimits.js';
import { COMMANDS, type CommandRow, usageOf } from '../../../src/options/table/commands.js';
import { GROUPS, type Option, variableName } from '../../../src/options/table.js';
import type { Block, Help } from './help.js';
import { argument, escaped, list, literal, optionItem, type Page, page, prose, synopsis } from './mdoc.js';
import type { Program, VerbOfProgram } from './program.js';
import { EXIT_STATUS_ROWS, OVERVIEW, PRECEDENCE, VALUES } from './prose.js';

/** The manual pages: proc_box(1), one for each verb, proc_box.yaml(5) and proc_box(7). */

const SUMMARY = 'run a command in a resource-limited box with remote control over AMQP';

/** @returns the text of each page by its file name */
export function manualPages(program: Program, epochSec: number): ReadonlyMap<string, string> {
  const all: (readonly [string, Page['section']])[] = [
    ['proc_box', 1],
    ...program.verbs.map((verb) => [`proc_box-${verb.name}`, 1] as const),
    ['qsub-box', 1],
    ['proc_box.yaml', 5],
    ['proc_box', 7],
  ];
  const common = { epochSec, seeAlso: all };
  const pages: Page[] = [
    { ...common, name: 'proc_box', section: 1, summary: SUMMARY, sections: mainSections(program) },
    ...program.verbs.map((verb) => verbPage(verb, common)),
    {
      ...common,
      name: 'qsub-box',
      section: 1,
      summary: 'submit a PBS job that runs in a box',
      sections: qsubSections(),
    },
    { ...common, name: 'proc_box.yaml', section: 5, summary: 'configuration of proc_box', sections: configSections() },
    {
      ...common,
      name: 'proc_box',
      section: 7,
      summary: 'overview of boxes, agents and messages',
      sections: overviewSections(),
    },
  ];
  return new Map(pages.map((one) => [`man${one.section}/${one.name}.${one.section}`, page(one)]));
}

function mainSections(program: Program): Page['sections'] {
  const verbs = program.verbs.map(
    ({ name, summary }) => [`.It Cm ${name}`, `${prose(`${summary}.`)}\n${`.Xr proc_box-${name} 1 .`}`] as const,
  );
  return [
    ['SYNOPSIS', '.Nm\n.Op Ar options\n.Op Fl -\n.Ar command\n.Op Ar arguments\n.Nm\n.Ar verb\n.Op Ar arguments'],
    [
      'DESCRIPTION',
      [
        prose(OVERVIEW.main),
        '.Pp',
        prose('If the first word is a verb, proc_box does something other than run a job:'),
        list(verbs),
      ].join('\n'),
    ],
    ['OPTIONS', [prose(PRECEDENCE), ...Object.entries(GROUPS).map(optionGroup)].join('\n')],
    ['VALUES', [...VALUES.map(([name, text]) => `.Ss ${name}\n${prose(text)}`), rlimits()].join('\n')],
    ['ENVIRONMENT', list(environment())],
    ['FILES', files()],
    ['EXIT STATUS', list(EXIT_STATUS_ROWS.map(([status, text]) => [`.It ${status}`, prose(text)] as const))],
    ['EXAMPLES', literal(OVERVIEW.examples)],
  ];
}

function optionGroup([heading, options]: [string, Readonly<Record<string, Option>>]): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const { placeholder, type, repeatable } = option;
    const value = type === 'boolean' ? undefined : (placeholder ?? type);
    const more = [
      ...(option.default === '' || type === 'boolean' ? [] : [`The default is ${option.default}.`]),
      ...(repeatable ? ['You can give it several times.'] : []),
    ];
    return [optionItem(name, value), prose(`${sentence(option.help)} ${more.join(' ')}`)] as const;
  });
  return `.Ss ${heading}\n${list(rows)}`;
}

/** Help texts are without capital and full stop. */
function sentence(text: string): string {
  const capital = /^[a-z]+(?=[ ,:;.]|$)/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
  return /[.:]$/.test(capital) ? capital : `${capital}.`;
}

function rlimits(): string {
  const rows = Object.entries(RLIMITS).map(
    ([name, { unit, help }]) => [`.It Cm ${name}`, prose(`${sentence(help)} The unit is ${unit}.`)] as const,
  );
  return `.Ss Resources of --rlimit\n${list(rows)}`.replace('--rlimit', '\\-\\-rlimit');
}

function environment(): (readonly [string, string])[] {
  const rows = Object.values(GROUPS).flatMap((options) =>
    Object.entries<Option>(options)
      .filter(([, { only }]) => only !== 'command line')
      .map(([name]) => [`.It Ev ${variableName(name)}`, `The same as\n.Fl -${name} .`] as const),
  );
  return rows;
}

function files(isConfigPage = false): string {
  return list([
    [
      '.It Pa /etc/proc_box/config.yaml',
      isConfigPage
        ? 'Options for all boxes on this host.'
        : 'Options for all boxes on this host:\n.Xr proc_box.yaml 5 .',
    ],
    ['.It Pa /etc/proc_box/agent.yaml', 'Options for the agent on this host:\n.Xr proc_box-agent 1 .'],
    ['.It Pa /run/proc_box/agent.sock', 'Socket of the agent on this host.'],
  ]);
}

function verbPage(verb: VerbOfProgram, common: Pick<Page, 'epochSec' | 'seeAlso'>): Page {
  const [synopsis, description, ...rest] = [verb.help, ...verb.below.map(({ help }) => help)]
    .map(sectionsOf)
    .flatMap((own, index) => {
      if (index === 0) return own;
      const [usage, ...others] = own;
      const heading = verb.below[index - 1]!.name.toUpperCase();
      const body = others.map(([title, text]) =>
        title === 'DESCRIPTION' ? text : `.Ss ${title[0]}${title.slice(1).toLowerCase()}\n${text}`,
      );
      return [[heading, `${usage![1]}\n.Pp\n${body.join('\n')}`] as const];
    });
  return {
    ...common,
    name: `proc_box-${verb.name}`,
    section: 1,
    summary: summaryLine(verb.summary),
    sections: [synopsis!, description!, ...rest],
  };
}

/** As NAME has it: not a sentence. */
function summaryLine(text: string): string {
  const first = text.split(/[:;,] /, 1)[0]!;
  return first[0]!.toLowerCase() + first.slice(1);
}

const TITLES: Readonly<Record<string, string>> = { '': 'DESCRIPTION', 'Exit status': 'EXIT STATUS' };

/** What mdoc(7) wants last; every other heading comes before, as it stands in the help text. */
const ORDER = ['Exit status', 'Examples'];

function sectionsOf(help: Help): (readonly [string, string])[] {
  const usage = help.usage.map((one) => `.Nm proc_box\n${synopsis(one.replace(/^proc_box /, ''))}`);
  return [
    ['SYNOPSIS', usage.join('\n')],
    ...help.sections
      .filter(({ blocks }) => blocks.length > 0)
      .toSorted((a, b) => ORDER.indexOf(a.heading) - ORDER.indexOf(b.heading))
      .map(({ heading, blocks }) => [TITLES[heading] ?? heading.toUpperCase(), body(blocks)] as const),
  ];
}

/** Rows that follow one another become one list. */
function body(blocks: readonly Block[]): string {
  const parts: string[] = [];
  for (let at = 0; at < blocks.length; ) {
    const block = blocks[at]!;
    if (block.kind === 'row') {
      const rows: (readonly [string, string])[] = [];
      for (; blocks[at]?.kind === 'row'; at++) rows.push(row(blocks[at] as Extract<Block, { kind: 'row' }>));
      parts.push(list(rows));
      continue;
    }
    parts.push(
      block.kind === 'literal' ? literal(block.lines) : `${parts.length > 0 ? '.Pp\n' : ''}${prose(block.text)}`,
    );
    at++;
  }
  return parts.join('\n');
}

function row({ head, text }: Extract<Block, { kind: 'row' }>): readonly [string, string] {
  const [, name, value] = /^--([\w-]+)(?:[ =]<(.+)>)?$/.exec(head) ?? [];
  const body = text === '' ? '' : prose(sentence(text));
  return [name === undefined ? `.It Cm ${head.split(' ').map(argument).join(' ')}` : optionItem(name, value), body];
}

function qsubSections(): Page['sections'] {
  return [
    ['SYNOPSIS', '.Nm\n.Op Ar options of a box\n.Op Ar options of qsub\n.Op Ar script\n.Op Fl - Ar command'],
    ['DESCRIPTION', OVERVIEW.qsub.map(prose).join('\n.Pp\n')],
    ['ENVIRONMENT', list([['.It Ev PROC_BOX_QSUB', prose('The qsub to call instead of the first one on PATH.')]])],
    ['EXAMPLES', literal(['qsub-box --memory 4G -l select=1 job.sh'])],
  ];
}

function configSections(): Page['sections'] {
  const keys = Object.values(GROUPS).flatMap((options) =>
    Object.entries<Option>(options)
      .filter(([, { only }]) => only === undefined)
      .map(([name, option]) => {
        const value = option.type === 'boolean' ? 'true|false' : (option.placeholder ?? option.type);
        const fallback = option.default === '' ? '' : ` The default is ${option.default}.`;
        return [`.It Cm ${name} : Ar ${argument(value)}`, prose(sentence(option.help) + fallback)] as const;
      }),
  );
  return [
    ['DESCRIPTION', OVERVIEW.config.map(prose).join('\n.Pp\n')],
    ['KEYS', list(keys)],
    ['LOCKS', prose(OVERVIEW.locks)],
    ['FILES', files(true)],
    ['EXAMPLES', literal(OVERVIEW.configExample)],
  ];
}

function overviewSections(): Page['sections'] {
  const commands = Object.entries<CommandRow>(COMMANDS).map(
    ([name, command]) =>
      [
        `.It Cm ${usageOf(name, command, (one) => `<${one}>`)
          .split(' ')
          .map(argument)
          .join(' ')}`,
        prose(sentence(command.help)),
      ] as const,
  );
  return [
    ['DESCRIPTION', OVERVIEW.overview.map(prose).join('\n.Pp\n')],
    ...OVERVIEW.chapters.map(([heading, paragraphs]) => [heading, paragraphs.map(prose).join('\n.Pp\n')] as const),
    ['COMMANDS', `${prose(OVERVIEW.commands)}\n${list(commands)}`],
    ['FILES', `${files()}\n.Pp\n${prose(escaped(OVERVIEW.documents))}`],
  ];
}
