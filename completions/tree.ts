/** The commands of notp as completions and man pages need them: read from the command tree itself, so that nothing is told twice. */
import type { Command, Option } from 'commander';
import { commandTree } from '../src/cli.ts';
import { EVENT_FAMILIES, EVENT_NAMES, REASON_NAMES } from '../src/commands/audit/words.ts';
import { DIGITS } from '../src/otp/code.ts';

export interface OptionShape {
  /** `-n` and `--lines`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What stands after it, without brackets; undefined for a switch. */
  readonly value: string | undefined;
  /** The only values that it takes, or those worth offering; empty where anything goes. */
  readonly words: readonly string[];
  /** Its default as the help tells it. */
  readonly standard: string | undefined;
  readonly repeatable: boolean;
}

export interface ArgumentShape {
  readonly name: string;
  readonly required: boolean;
  /** Whether more may follow. */
  readonly repeatable: boolean;
}

export interface CommandShape {
  /** As it is typed: `notp`, `audit`, `report`. */
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly OptionShape[];
  readonly arguments: readonly ArgumentShape[];
  readonly subcommands: readonly CommandShape[];
}

const NOTP_ENROLL = 'notp-enroll';

/** The programs: `notp`, and `notp-enroll`, which is a command under a name of its own. */
export async function programShapes(): Promise<readonly CommandShape[]> {
  const surroundings = { environment: {}, umask: 0, now: (): number => 0 };
  const root = await commandTree(surroundings, () => undefined);
  const enroll = root.commands.filter((command) => command.name() === NOTP_ENROLL);
  return [shapeOf(root, []), ...enroll.map((command) => shapeOf(command, []))];
}

/** `command` and all below it, in the order of the help. */
export function withSubcommands(command: CommandShape): readonly CommandShape[] {
  return [command, ...command.subcommands.flatMap(withSubcommands)];
}

function shapeOf(command: Command, before: readonly string[]): CommandShape {
  const help = command.createHelp();
  const words = [...before, command.name()];
  return {
    words,
    description: command.description(),
    options: help.visibleOptions(command).map(optionShape),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      repeatable: argument.variadic,
    })),
    subcommands: help.visibleCommands(command).map((each) => shapeOf(each, words)),
  };
}

function optionShape(option: Option): OptionShape {
  const { short, long, description, defaultValueDescription } = option;
  const defaultValue: unknown = option.defaultValue;
  const { value } = /[<[](?<value>[^>\].]+)(\.\.\.)?[>\]]$/.exec(option.flags)?.groups ?? {};
  const told = defaultValueDescription ?? (['string', 'number'].includes(typeof defaultValue) ? String(defaultValue) : undefined);
  return {
    names: [short, long].filter((name) => name !== undefined),
    description,
    value,
    // The reason of a grant is any text.
    words: option.argChoices ?? (value === 'text' ? undefined : WORDS[long ?? '']) ?? [],
    standard: told,
    repeatable: option.variadic || Array.isArray(defaultValue),
  };
}

/** Values that the command tree checks by other means than a choice. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  '--digits': DIGITS.map(String),
  '--event': [...EVENT_NAMES, ...EVENT_FAMILIES],
  '--reason': REASON_NAMES,
};
