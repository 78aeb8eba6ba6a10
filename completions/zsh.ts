/** The completion for zsh, for its completion system (zshcompsys(1)): one function for each command. */
import { withSubcommands, type ArgumentShape, type CommandShape, type OptionShape } from './tree.ts';
import { argumentKind, brief, optionKind, type Kind } from './values.ts';

/** The text of the file `_notp`. */
export function zshCompletion(programs: readonly CommandShape[]): string {
  return [HEAD, ...programs.flatMap(withSubcommands).map(commandFunction), TAIL].join('\n');
}

function commandFunction(command: CommandShape): string {
  const name = functionName(command.words);
  const options = command.options.map(optionSpec);
  if (command.subcommands.length === 0) return plain(name, [...options, ...command.arguments.map(argumentSpec)]);
  const commands = command.subcommands.map(({ words, description }) => `    ${quoted(`${words.at(-1) ?? ''}:${brief(description)}`)}`);
  return [
    `${name}() {`,
    '  local curcontext=$curcontext state ret=1',
    '  local -a line commands',
    '  commands=(',
    ...commands,
    '  )',
    `  _arguments -S -C${[...options, `'1:command:->command'`, `'*::argument:->argument'`].map((spec) => ` \\\n    ${spec}`).join('')} && ret=0`,
    '  case $state in',
    `    command) _describe -t commands command commands && ret=0 ;;`,
    `    argument) (( $+functions[${name}_$line[1]] )) && ${name}_$line[1] && ret=0 ;;`,
    '  esac',
    '  return ret',
    '}',
    '',
  ].join('\n');
}

function plain(name: string, specs: readonly string[]): string {
  return [`${name}() {`, `  _arguments -S${specs.map((spec) => ` \\\n    ${spec}`).join('')}`, '}', ''].join('\n');
}

function functionName(words: readonly string[]): string {
  return `_complete_${words.join('_')}`;
}

function optionSpec(option: OptionShape): string {
  const { names, description, value, repeatable } = option;
  const told = `[${escaped(brief(description))}]`;
  const after = value === undefined ? '' : `:${escaped(value)}:${action(optionKind(option), option.words)}`;
  const given = names.map((name) => (value === undefined ? name : name.startsWith('--') ? `${name}=` : `${name}+`));
  if (given.length === 1) return quoted(`${repeatable ? '*' : ''}${given.join('')}${told}${after}`);
  // Either of the names, and then neither of them again.
  return `${quoted(`(${names.join(' ')})`)}{${given.join(',')}}${quoted(`${told}${after}`)}`;
}

function argumentSpec(argument: ArgumentShape): string {
  return quoted(
    `${argument.repeatable ? '*' : ''}${argument.required || argument.repeatable ? ':' : '::'}${argument.name}:${action(argumentKind(argument), [])}`,
  );
}

function action(kind: Kind, words: readonly string[]): string {
  switch (kind) {
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'user':
      return '_users';
    case 'group':
      return '_groups';
    case 'context':
      return '_notp_contexts';
    case 'words':
      return `(${words.join(' ')})`;
    case 'none':
      return '';
  }
}

/** For _arguments, which reads brackets and colons. */
function escaped(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

const HEAD = `#compdef notp notp-enroll
# zsh completion for notp(1) and notp-enroll(1). Made by npm run completions from the command tree: do not edit.

# the names of the sealed files; what is no context name is left out
_notp_contexts() {
  local -a contexts
  contexts=(~/.notp/*(N-.:t))
  contexts=(\${(M)contexts:#[A-Za-z0-9_][A-Za-z0-9_.-]#})
  _wanted contexts expl context compadd -a contexts
}
`;

const TAIL = `_complete_$service "$@"
`;
