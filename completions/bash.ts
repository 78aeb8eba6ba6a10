/** The completion for bash. Needs nothing but bash 4; names of files that are no context names never reach the command line. */
import { withSubcommands, type ArgumentShape, type CommandShape, type OptionShape } from './tree.ts';
import { argumentKind, optionKind, optionsWithValues } from './values.ts';

const MAX_REPEATED = 9;

/** The text of the file that bash reads. */
export function bashCompletion(programs: readonly CommandShape[]): string {
  const commands = programs.flatMap(withSubcommands);
  return [
    HEAD,
    table(
      '_notp_options',
      'the options of a command',
      commands.map((command) => entry(command.words, optionNames(command))),
    ),
    table(
      '_notp_commands',
      'what may follow a command as the next word of it',
      commands.map((command) =>
        entry(
          command.words,
          command.subcommands.map(({ words }) => words.at(-1) ?? ''),
        ),
      ),
    ),
    table(
      '_notp_arguments',
      'the kinds of its arguments',
      commands.map((command) => entry(command.words, command.arguments.flatMap(argumentKinds))),
    ),
    table(
      '_notp_takes',
      'the kind of the value that an option takes, with the words that it may be',
      optionsWithValues(programs).map(takes),
    ),
    WALK,
  ].join('\n');
}

function optionNames({ options }: CommandShape): readonly string[] {
  return options.flatMap(({ names }) => names.filter((name) => name.startsWith('--')));
}

function entry(words: readonly string[], found: readonly string[]): string {
  return found.length === 0 ? '' : `    '${words.join(' ')}') found='${found.join(' ')}' ;;`;
}

/** The kinds of an argument that may be repeated, as often as anybody has it completed. */
function argumentKinds(argument: ArgumentShape): readonly string[] {
  return Array<string>(argument.repeatable ? MAX_REPEATED : 1).fill(argumentKind(argument));
}

function takes(option: OptionShape): string {
  return `    ${option.names.join(' | ')}) found='${[optionKind(option), ...option.words].join(' ')}' ;;`;
}

function table(name: string, what: string, entries: readonly string[]): string {
  const lines = entries.filter((line) => line !== '');
  return [`# ${what}, into \`found\``, `${name}() {`, '  found=', '  case $1 in', ...lines, '  esac', '}', ''].join('\n');
}

const HEAD = `# bash completion for notp(1) and notp-enroll(1). Made by npm run completions from the command tree: do not edit.
`;

const WALK = `# puts what completes $cur into COMPREPLY: KIND [WORD...]
_notp_fill() {
  local kind=$1 name
  shift
  case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur") ;;
    user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
    group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
    file | folder)
      compopt -o filenames 2>/dev/null
      [[ $kind == file ]] && kind=-f || kind=-d
      mapfile -t COMPREPLY < <(compgen "$kind" -- "$cur")
      ;;
    context)
      for name in ~/.notp/*; do
        [[ -f $name && \${name##*/} =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] || continue
        name=\${name##*/}
        [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
      done
      ;;
  esac
}

_notp() {
  local IFS=$' \\t\\n' cur=\${COMP_WORDS[COMP_CWORD]} at=\${1##*/} wants='' given=0 ended='' found word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $wants ]]; then
      # "--option=value" comes as three words.
      [[ $word == = ]] || wants=
    elif [[ $word == -- ]]; then
      ended=yes
    elif [[ $word == -* && -z $ended ]]; then
      _notp_takes "$word"
      wants=$found
    else
      _notp_commands "$at"
      [[ " $found " == *" $word "* ]] && at="$at $word" || ((++given))
    fi
  done
  [[ $cur == = ]] && cur=
  if [[ -n $wants ]]; then
    _notp_fill $wants
  elif [[ $cur == -* && -z $ended ]]; then
    _notp_options "$at"
    _notp_fill words $found
  else
    _notp_commands "$at"
    [[ -n $found && $given == 0 ]] && _notp_fill words $found && return
    _notp_arguments "$at"
    set -- $found
    shift "$given" 2>/dev/null && _notp_fill "\${1:-none}"
  fi
} && complete -F _notp notp notp-enroll
`;
