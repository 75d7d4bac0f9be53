import { spawnSync } from 'node:child_process';
import { VERBS } from '../../../src/options/table/verbs.js';
import { OPTIONS, type Option } from '../../../src/options/table.js';
import { type Help, type HelpOption, optionsOf, readHelp, summaryOf, wordsOf } from './help.js';

/** The command line of proc_box as manual pages and completion describe it: the options table, and what each verb says of itself. */

export interface Word {
  readonly name: string;
  readonly help: string;
}

export interface Completed extends Word {
  /** Of its value; undefined for a flag. */
  readonly placeholder: string | undefined;
  /** What the value can be; `files` completes paths. */
  readonly values: readonly string[];
  readonly files: boolean;
  readonly repeatable: boolean;
}

export interface VerbOfProgram {
  readonly name: string;
  readonly summary: string;
  readonly help: Help;
  readonly options: readonly Completed[];
  readonly words: readonly Word[];
  /** Verbs below it that have a help text of their own: `ctl keygen`. */
  readonly below: readonly { readonly name: string; readonly help: Help }[];
}

export interface Program {
  readonly options: readonly Completed[];
  readonly verbs: readonly VerbOfProgram[];
}

/** @param executable bin/proc_box of a checkout that is built. @throws Error if a verb has no help text */
export function readProgram(executable: string): Program {
  const options = Object.entries<Option>(OPTIONS).map(([name, option]) => ofBox(name, option));
  const helps = new Map(VERBS.map((verb) => [verb as string, helpOf(executable, [verb])]));
  return { options, verbs: [...helps].map(([name, help]) => verbOf(executable, name, help, helps, options)) };
}

function verbOf(
  executable: string,
  name: string,
  help: Help,
  helps: ReadonlyMap<string, Help>,
  ofABox: readonly Completed[],
): VerbOfProgram {
  const words = wordsOf(name, help);
  const own = optionsOf(help);
  const prose = help.sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => (block.kind === 'text' ? [block.text] : [])),
  );
  // "The options are those of "proc_box ctl"".
  const like = /options are those of "proc_box (\w+)"/.exec(prose.join(' '))?.[1];
  const inherited = like === undefined ? [] : optionsOf(helps.get(like)!);
  const takesAll =
    help.usage.some((line) => line.includes('[options of a box]')) || /options of a box/.test(prose.join(' '));
  const sources = like === undefined ? prose : [...prose, ...proseOf(helps.get(like)!)];
  const named = new Set([...sources.join(' ').matchAll(/--([a-zA-Z][\w-]*)/g)].map(([, option]) => option!));
  const mine = [...own, ...inherited].map(ofVerb);
  const others = ofABox.filter((option) => (takesAll ? option.name !== 'version' : named.has(option.name)));
  const options = [...mine, ...others.filter((option) => !mine.some((one) => one.name === option.name))];
  const below = words.flatMap((word) => {
    const text = textOf(executable, [name, word.name]);
    return text?.startsWith(`usage: proc_box ${name} ${word.name} `) && !help.usage.some((line) => text.includes(line))
      ? [{ name: `${name} ${word.name}`, help: readHelp(text) }]
      : [];
  });
  return { name, summary: summaryOf(help), help, options, words, below };
}

function proseOf(help: Help): string[] {
  return help.sections.flatMap(({ blocks }) => blocks.flatMap((block) => (block.kind === 'text' ? [block.text] : [])));
}

function helpOf(executable: string, words: readonly string[]): Help {
  const text = textOf(executable, words);
  if (text === undefined) throw new Error(`proc_box ${words.join(' ')} --help prints no help text`);
  return readHelp(text);
}

/** Only a text that begins with a usage: `proc_box ctl status --help` is a mistake of its caller. */
function textOf(executable: string, words: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(executable, [...words, '--help'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  return status === 0 && stdout.startsWith('usage: ') ? stdout : undefined;
}

function ofBox(name: string, { placeholder, type, help, repeatable }: Option): Completed {
  const takesValue = type !== 'boolean';
  return {
    name,
    help,
    placeholder: takesValue ? (placeholder ?? type) : undefined,
    ...valuesOf(takesValue ? (placeholder ?? '') : ''),
    ...(type === 'path' && { files: true }),
    repeatable: repeatable === true,
  };
}

function ofVerb({ name, placeholder, help }: HelpOption): Completed {
  return { name, help, placeholder, ...valuesOf(placeholder ?? ''), repeatable: false };
}

/** `open|closed` are the values themselves; in `auto|none|path` the last stands for any path. */
function valuesOf(placeholder: string): { readonly values: readonly string[]; readonly files: boolean } {
  const parts = /^[\w-]+(?:\|[\w-]+)+$/.test(placeholder) ? placeholder.split('|') : [];
  const names = [...parts, placeholder];
  return {
    values: parts.filter((part) => !['path', 'file', 'dir', 'duration', 'size', 'number', 'text'].includes(part)),
    files: names.some((one) => ['path', 'file', 'dir'].includes(one)),
  };
}
