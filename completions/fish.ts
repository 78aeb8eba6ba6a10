/** The completion for fish. */
import { withSubcommands, type CommandShape, type OptionShape } from './tree.ts';
import { argumentKind, brief, optionKind, optionsWithValues, type Kind } from './values.ts';

/** The text of the file `notp.fish`. */
export function fishCompletion(programs: readonly CommandShape[]): string {
  const names = optionsWithValues(programs).flatMap((option) => option.names);
  const commands = programs.flatMap(withSubcommands).filter(({ subcommands }) => subcommands.length > 0);
  const following = commands.map(({ words, subcommands }) =>
    [
      `            case '${words.join(' ')}'`,
      `                set following ${subcommands.map((each) => each.words.at(-1) ?? '').join(' ')}`,
    ].join('\n'),
  );
  const walk = WALK.replace('OPTIONS', names.join(' ')).replace('FOLLOWING', following.join('\n'));
  return [walk, ...programs.map(programLines)].join('\n');
}

function programLines(program: CommandShape): string {
  const name = program.words.join('');
  const lines = withSubcommands(program).flatMap((command) => [
    `# ${command.words.join(' ')}`,
    ...command.options.map((option) => optionLine(name, command, option)),
    ...command.subcommands.map((each) => `complete -c ${name} -n ${at(command, 0)} -a ${each.words.at(-1) ?? ''}${told(each.description)}`),
    ...command.arguments.flatMap((argument, index) =>
      argumentLine(name, command, { kind: argumentKind(argument), index: argument.repeatable ? undefined : index }),
    ),
  ]);
  return [`complete -c ${name} -f`, ...lines, ''].join('\n');
}

function optionLine(program: string, command: CommandShape, option: OptionShape): string {
  const names = option.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  const value = option.value === undefined ? '' : valueOf(optionKind(option), option.words);
  return `complete -c ${program} -n ${at(command)} ${names}${value}${told(option.description)}`;
}

function argumentLine(program: string, command: CommandShape, { kind, index }: { kind: Kind; index: number | undefined }): string[] {
  const found = FOUND[kind];
  return found === undefined ? [] : [`complete -c ${program} -n ${at(command, index)} -a '${found}'`];
}

function valueOf(kind: Kind, words: readonly string[]): string {
  switch (kind) {
    case 'file':
      return ' -r -F';
    case 'words':
      return ` -x -a '${words.join(' ')}'`;
    case 'none':
      return ' -x';
    case 'folder':
    case 'user':
    case 'group':
    case 'context':
      return ` -x -a '${FOUND[kind] ?? ''}'`;
  }
}

/** What finds the values of a kind on the machine. */
const FOUND: Partial<Record<Kind, string>> = {
  folder: '(__fish_complete_directories)',
  user: '(__fish_complete_users)',
  group: '(__fish_complete_groups)',
  context: '(__notp_contexts)',
};

/** The condition that the words so far name this command, and that so many arguments stand after it. */
function at({ words }: CommandShape, given?: number): string {
  return `"__notp_at '${words.join(' ')}'${given === undefined ? '' : ` ${String(given)}`}"`;
}

function told(description: string): string {
  return ` -d '${brief(description)
    .replaceAll('\\', '\\\\')
    .replaceAll("'", String.raw`\'`)}'`;
}

const WALK = `# fish completion for notp(1) and notp-enroll(1). Made by npm run completions from the command tree: do not edit.

# the names of the sealed files; what is no context name is left out
function __notp_contexts
    for file in ~/.notp/*
        test -f $file
        and string match -r '^[A-Za-z0-9_][A-Za-z0-9_.-]*$' -- (string replace -r '.*/' '' -- $file)
    end
end

# whether the words before the cursor name this command, and so many arguments after it: COMMAND [GIVEN]
function __notp_at
    set -l words (commandline -opc)
    set -l at (string replace -r '.*/' '' -- $words[1])
    set -l given 0
    set -l wants
    for word in $words[2..-1]
        if test -n "$wants"
            set wants
            continue
        end
        set -l following
        switch $at
FOLLOWING
        end
        if string match -q -- '-*' $word
            contains -- $word OPTIONS
            and set wants yes
        else if contains -- $word $following
            set at "$at $word"
        else
            set given (math $given + 1)
        end
    end
    test "$at" = $argv[1]
    and test (count $argv) = 1 -o "$given" = "$argv[2]"
end
`;
