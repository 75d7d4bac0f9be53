/** Reads the text of a `--help`, which every verb has in the same form, so that manual pages and completion need no table of their own. */

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'row'; readonly head: string; readonly text: string }
  | { readonly kind: 'literal'; readonly lines: readonly string[] };

export interface Section {
  /** Empty for what stands between the usage and the first heading. */
  readonly heading: string;
  readonly blocks: readonly Block[];
}

export interface Help {
  /** `proc_box spool list [--json] [options of a box]`, each in one line. */
  readonly usage: readonly string[];
  readonly sections: readonly Section[];
}

const HEADING = /^([A-Z][\w ]*):$/;
const ROW = /^ {2}(\S(?:\S| (?! ))*)(?: {2,}(\S.*))?$/;
const OPTION = /^--([\w-]+)(?:[ =]<(.+)>)?$/;
const LITERAL = new Set(['Examples']);

/** @throws Error if it does not begin with its usage */
export function readHelp(text: string): Help {
  const lines = text.trimEnd().split('\n');
  const usage: string[] = [];
  let at = 0;
  for (; at < lines.length && lines[at] !== ''; at++) {
    const line = lines[at]!.replace(/^usage: /, '').trim();
    if (line.startsWith('proc_box')) usage.push(line);
    else if (usage.length > 0) usage.push(`${usage.pop()} ${line}`);
  }
  if (usage.length === 0) throw new Error(`not a help text, for it does not begin with "usage: proc_box": ${lines[0]}`);
  const sections: { heading: string; lines: string[] }[] = [{ heading: '', lines: [] }];
  for (const line of lines.slice(at)) {
    const heading = HEADING.exec(line)?.[1];
    if (heading === undefined) sections.at(-1)!.lines.push(line);
    else sections.push({ heading, lines: [] });
  }
  return { usage, sections: sections.map(({ heading, lines }) => ({ heading, blocks: readBlocks(heading, lines) })) };
}

function readBlocks(heading: string, lines: readonly string[]): Block[] {
  if (LITERAL.has(heading)) return readExamples(lines);
  const blocks: Block[] = [];
  let open: { kind: 'text'; text: string } | { kind: 'row'; head: string; text: string } | undefined;
  for (const line of lines) {
    const [, head, text = ''] = ROW.exec(line) ?? [];
    const isMore = /^ {3,}\S/.test(line) || (open?.kind === 'row' && open.text === '' && /^ {2,}\S/.test(line));
    if (line === '') {
      open = undefined;
    } else if (head !== undefined && !isMore && isRow(head)) {
      open = { kind: 'row', head, text };
      blocks.push(open);
    } else if (open !== undefined && (isMore || open.kind === 'text')) {
      open.text = `${open.text} ${line.trim()}`.trim();
    } else {
      open = { kind: 'text', text: line.trim() };
      blocks.push(open);
    }
  }
  return blocks;
}

/** Not the options that an indented sentence lists. */
function isRow(head: string): boolean {
  return !head.startsWith('--') || OPTION.test(head);
}

/** Indented lines are examples; what follows them is text. */
function readExamples(lines: readonly string[]): Block[] {
  const given = lines.filter((line) => line.startsWith('  ')).map((line) => line.slice(2));
  const text = lines.filter((line) => /^\S/.test(line)).join(' ');
  return [{ kind: 'literal', lines: given }, ...(text === '' ? [] : [{ kind: 'text', text } as const])];
}

export interface HelpOption {
  readonly name: string;
  /** Of its value; undefined for a flag. */
  readonly placeholder: string | undefined;
  readonly help: string;
}

/** The options in a help text: rows that begin with `--`. */
export function optionsOf(help: Help): HelpOption[] {
  return help.sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => {
      const [, name, placeholder] = (block.kind === 'row' && OPTION.exec(block.head)) || [];
      return name === undefined || block.kind !== 'row' ? [] : [{ name, placeholder, help: block.text }];
    }),
  );
}

/** The first sentence after the usage. */
export function summaryOf(help: Help): string {
  const first = help.sections[0]?.blocks.find((block) => block.kind === 'text');
  const text = first?.kind === 'text' ? first.text : '';
  return (/^.*?[.:](?= |$)/.exec(text)?.[0] ?? text).replace(/[.:]$/, '');
}

/** The words that a verb takes first: those of its usage (`proc_box spool list`), and the rows under "Commands". */
export function wordsOf(verb: string, help: Help): { readonly name: string; readonly help: string }[] {
  const rows = help.sections.flatMap(({ blocks }) => blocks.filter((block) => block.kind === 'row'));
  const ofUsage = help.usage.map((line) => new RegExp(`^proc_box ${verb} ([a-z][\\w-]*)(?: |$)`).exec(line)?.[1]);
  const ofCommands = help.sections.filter(({ heading }) => heading === 'Commands').flatMap(({ blocks }) => blocks);
  const names = [
    ...ofUsage,
    ...ofCommands.map((block) => (block.kind === 'row' ? block.head.split(' ', 1)[0] : undefined)),
  ];
  return [...new Set(names.filter((name) => name !== undefined))].map((name) => ({
    name,
    help: rows.find((row) => row.kind === 'row' && row.head.split(' ', 1)[0] === name)?.text ?? '',
  }));
}
