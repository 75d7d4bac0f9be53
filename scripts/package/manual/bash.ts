import type { Completed, Program } from './program.js';

/** Completion for bash, with or without the package bash-completion. */

export function bashCompletion({ options, verbs }: Program): string {
  const scopes = [
    { name: '', options, words: verbs.map(({ name }) => name) },
    ...verbs.map((verb) => ({ ...verb, words: verb.words.map(({ name }) => name) })),
  ];
  const each = (list: (scope: (typeof scopes)[number]) => string) =>
    scopes.map((scope) => `    '${scope.name}') ${list(scope)} ;;`).join('\n');
  return `# Completion of proc_box for bash. Made by npm run package from the tables of proc_box: do not edit.

# The options, words and options with a value of a verb; without a verb, those of a box.
_proc_box_options() {
  case $1 in
${each(({ options }) => `echo '${options.map(({ name }) => `--${name}`).join(' ')}'`)}
  esac
}

_proc_box_words() {
  case $1 in
${each(({ words }) => `echo '${words.join(' ')}'`)}
  esac
}

_proc_box_takes_value() {
  case "$1 $2" in
${scopes
  .map(
    ({ name, options }) =>
      `    ${caseOf(
        name,
        options.filter(({ placeholder }) => placeholder !== undefined),
      )}) return 0 ;;`,
  )
  .join('\n')}
  esac
  return 1
}

# The values of an option: words, or "files".
_proc_box_values() {
  case "$1 $2" in
${scopes.flatMap(({ name, options }) => options.filter(({ values, files }) => values.length > 0 || files).map((one) => `    '${name} ${one.name}') echo '${[...one.values, ...(one.files ? ['files'] : [])].join(' ')}' ;;`)).join('\n')}
  esac
}

_proc_box() {
  local cur=\${COMP_WORDS[COMP_CWORD]} verb='' at=1 word name values
  COMPREPLY=()
  # bash makes words of their own of = and :, if COMP_WORDBREAKS has them.
  [ "$cur" = = ] && cur=''
  while [ "$at" -lt "$COMP_CWORD" ]; do
    word=\${COMP_WORDS[at]}
    case $word in
    --) [ -n "$verb" ] || { _proc_box_command $((at + 1)); return; } ;;
    -?*)
      name=\${word#-} name=\${name#-}
      case $name in
      *=*) ;;
      *)
        if [ "\${COMP_WORDS[at + 1]}" = = ] && [ $((at + 1)) -le "$COMP_CWORD" ]; then
          [ $((at + 2)) -lt "$COMP_CWORD" ] || { _proc_box_value "$verb" "$name"; return; }
          at=$((at + 2))
        elif _proc_box_takes_value "$verb" "$name"; then
          [ $((at + 1)) -lt "$COMP_CWORD" ] || { _proc_box_value "$verb" "$name"; return; }
          at=$((at + 1))
        fi
        ;;
      esac
      ;;
    *)
      if [ -n "$verb" ]; then
        :
      elif [ "$at" -eq 1 ] && [[ " $(_proc_box_words '') " == *" $word "* ]]; then
        verb=$word
      else
        _proc_box_command "$at"
        return
      fi
      ;;
    esac
    at=$((at + 1))
  done
  case $cur in
  -*) COMPREPLY=($(compgen -W "$(_proc_box_options "$verb")" -- "$cur")) ;;
  *)
    if [ -n "$verb" ]; then
      COMPREPLY=($(compgen -W "$(_proc_box_words "$verb")" -- "$cur"))
    else
      [ "$COMP_CWORD" -ne 1 ] || COMPREPLY=($(compgen -W "$(_proc_box_words '')" -- "$cur"))
      COMPREPLY+=($(compgen -c -- "$cur"))
    fi
    ;;
  esac
}

_proc_box_value() {
  values=$(_proc_box_values "$1" "$2")
  COMPREPLY=($(compgen -W "\${values/files/}" -- "$cur"))
  case $values in
  *files*)
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY+=($(compgen -f -- "$cur"))
    ;;
  esac
}

# The job's own completion, from the word with this index.
_proc_box_command() {
  if [ "$1" -eq "$COMP_CWORD" ]; then
    COMPREPLY=($(compgen -c -- "$cur"))
  elif declare -F _comp_command_offset >/dev/null; then
    _comp_command_offset "$1"
  elif declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  else
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}

complete -F _proc_box proc_box
`;
}

function caseOf(scope: string, options: readonly Completed[]): string {
  return options.length === 0 ? "'no such option'" : options.map(({ name }) => `'${scope} ${name}'`).join(' | ');
}
