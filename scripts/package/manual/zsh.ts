import type { Completed, Program, Word } from './program.js';

/** Completion for zsh. */

export function zshCompletion({ options, verbs }: Program): string {
  return `#compdef proc_box
# Completion of proc_box for zsh. Made by npm run package from the tables of proc_box: do not edit.

_proc_box_verbs() {
  local -a verbs=(
${described(verbs.map(({ name, summary }) => ({ name, help: summary })))}
  )
  _describe -t verbs verb verbs
}

_proc_box_first() {
  # A verb is one only as the first word.
  if (( CURRENT == 2 )); then
    _alternative 'verbs:verb:_proc_box_verbs' 'commands:command:_command_names -e'
  else
    _command_names -e
  fi
}
${verbs.map(({ name, options, words }) => verbFunction(name, options, words)).join('')}
_proc_box() {
  local context state state_descr line
  typeset -A opt_args
  case $words[2] in
${verbs.map(({ name }) => `  ${name})\n    if (( CURRENT > 2 )); then shift words; (( CURRENT-- )); _proc_box_${name}; return; fi\n    ;;`).join('\n')}
  esac
  _arguments -S \\
${specs(options)}
    '(-)1:command:_proc_box_first' \\
    '*::arguments:_normal'
}

_proc_box "$@"
`;
}

function verbFunction(name: string, options: readonly Completed[], words: readonly Word[]): string {
  const positional = words.length === 0 ? '' : ` \\\n    '1:command:_proc_box_${name}_words' \\\n    '*:argument: '`;
  const list =
    words.length === 0
      ? ''
      : `
_proc_box_${name}_words() {
  local -a known=(
${described(words)}
  )
  _describe -t commands command known
}
`;
  return `${list}
_proc_box_${name}() {
  _arguments \\
${specs(options).replace(/ \\$/, '')}${positional}
}
`;
}

function described(words: readonly Word[]): string {
  return words.map(({ name, help }) => `    ${quoted(`${name.replaceAll(':', '\\:')}:${help}`)}`).join('\n');
}

function specs(options: readonly Completed[]): string {
  return options.map((option) => `    ${quoted(spec(option))} \\`).join('\n');
}

/** \`--name=[help]:placeholder:action\`: _arguments in zshcompsys(1). */
function spec({ name, placeholder, help, values, files, repeatable }: Completed): string {
  const star = repeatable ? '*' : '';
  const text = help.replaceAll(/[[\]\\]/g, '\\$&').replaceAll(':', '\\:');
  if (placeholder === undefined) return `${star}--${name}[${text}]`;
  const shown = placeholder.replaceAll(/[\\:]/g, '\\$&');
  const action = files ? '_files' : values.length > 0 ? `(${values.join(' ')})` : '';
  return `${star}--${name}=[${text}]:${shown}:${action}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
