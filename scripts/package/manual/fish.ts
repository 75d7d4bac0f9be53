import type { Completed, Program } from './program.js';

/** Completion for fish. */

export function fishCompletion({ options, verbs }: Program): string {
  const withValue = (list: readonly Completed[]) =>
    list.filter(({ placeholder }) => placeholder !== undefined).map(({ name }) => name);
  return `# Completion of proc_box for fish. Made by npm run package from the tables of proc_box: do not edit.

function __proc_box_takes_value -a verb name
    switch "$verb"
${['', ...verbs.map(({ name }) => name)].map((name) => `        case '${name}'\n            contains -- $name ${withValue(verbs.find((verb) => verb.name === name)?.options ?? options).join(' ')}`).join('\n')}
    end
end

# Prints where the cursor is: "box", "verb NAME", "verb NAME WORD" after its first word, or "command N" in a job's command that begins
# with the Nth word.
function __proc_box_place
    set -l words (commandline -opc)
    set -l verb ''
    set -l after ''
    set -l at 2
    while test $at -le (count $words)
        set -l word $words[$at]
        if test -z "$verb"; and test "$word" = --
            echo command (math $at + 1)
            return
        else if string match -qr '^-.' -- $word
            set -l name (string replace -r '^--?' '' -- $word)
            if not string match -q '*=*' -- $name; and __proc_box_takes_value "$verb" $name
                set at (math $at + 1)
            end
        else if test -n "$verb"
            set after ' '$word
        else if test $at -eq 2; and contains -- $word ${verbs.map(({ name }) => name).join(' ')}
            set verb $word
        else
            echo command $at
            return
        end
        set at (math $at + 1)
    end
    if test -n "$verb"
        echo verb $verb$after
    else
        echo box
    end
end

function __proc_box_in
    string match -q -- "$argv[1]*" (__proc_box_place)
end

function __proc_box_is
    test (__proc_box_place) = "$argv[1]"
end

function __proc_box_first
    test (count (commandline -opc)) -eq 1
end

# The completion of the job's own command.
function __proc_box_command
    set -l from (string split ' ' (__proc_box_place))[2]
    set -l words (commandline -opc)
    set -l rest
    test $from -le (count $words); and set rest (string escape -- $words[$from..-1])
    complete -C (string join ' ' -- $rest (commandline -ct))
end

complete -c proc_box -f
complete -c proc_box -n '__proc_box_in command' -a '(__proc_box_command)'
complete -c proc_box -n '__proc_box_is box; and not string match -q -- "-*" (commandline -ct)' -a '(complete -C (commandline -ct))'
${verbs.map(({ name, summary }) => `complete -c proc_box -n __proc_box_first -a ${name} -d ${quoted(summary)}`).join('\n')}
${options.map((option) => line("'__proc_box_is box'", option)).join('\n')}
${verbs
  .flatMap(({ name, options, words }) => [
    ...words.map(
      (word) => `complete -c proc_box -n '__proc_box_is "verb ${name}"' -a ${word.name} -d ${quoted(word.help)}`,
    ),
    ...options.map((option) => line(`'__proc_box_in "verb ${name}"'`, option)),
  ])
  .join('\n')}
`;
}

function line(condition: string, { name, placeholder, help, values, files }: Completed): string {
  const takes = placeholder === undefined ? '' : files ? ' -r -F' : ' -x';
  const given = values.length > 0 ? ` -a '${values.join(' ')}'` : '';
  return `complete -c proc_box -n ${condition} -l ${name}${takes}${given} -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
