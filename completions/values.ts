/** What may stand as the value of an option or as an argument, told by the placeholder that the help shows. */
import { withSubcommands, type CommandShape, type OptionShape } from './tree.ts';

/** Kinds that a shell looks up on the machine; `words` are fixed; `none` can only be typed. */
export type Kind = 'file' | 'folder' | 'user' | 'group' | 'context' | 'words' | 'none';

/** The kind of an option that takes a value. Throws on an option that nobody has thought of. */
export function optionKind({ names, value, words }: OptionShape): Kind {
  if (words.length > 0) return 'words';
  const kind = OPTION_KINDS[names.at(-1) ?? ''] ?? PLACEHOLDER_KINDS[value ?? ''];
  if (kind === undefined) throw new Error(`${names.join(', ')} <${value ?? ''}>: say in completions/values.ts what completes it`);
  return kind;
}

/** The kind of an argument. Throws on one that nobody has thought of. */
export function argumentKind({ name }: { readonly name: string }): Kind {
  const kind = PLACEHOLDER_KINDS[name];
  if (kind === undefined) throw new Error(`${name}: say in completions/values.ts what completes it`);
  return kind;
}

/**
 * Every option with a value, once. Throws where one name takes different values in different commands; what can only be typed in
 * one may be completed in another.
 */
export function optionsWithValues(programs: readonly CommandShape[]): readonly OptionShape[] {
  const found = new Map<string, OptionShape>();
  for (const option of programs.flatMap(withSubcommands).flatMap(({ options }) => options)) {
    if (option.value === undefined) continue;
    const key = option.names.at(-1) ?? '';
    const before = found.get(key) ?? option;
    const kinds = [optionKind(before), optionKind(option)];
    if (!kinds.includes('none') && (kinds[0] !== kinds[1] || before.words.join() !== option.words.join()))
      throw new Error(`${key} takes different values in different commands`);
    found.set(key, kinds[0] === 'none' ? option : before);
  }
  return [...found.values()];
}

/** A description short enough for a list: up to the first break, without the remarks in brackets. */
export function brief(description: string): string {
  return (/^(.{12,}?)(?:[;:]|, | \()/.exec(description)?.[1] ?? description).replace(/[;:,]$/, '');
}

const OPTION_KINDS: Readonly<Record<string, Kind>> = {
  '--user': 'user',
  '--group': 'group',
  '--context': 'context',
  '--host': 'none',
  '--service': 'none',
  '--serial': 'none',
};

const PLACEHOLDER_KINDS: Readonly<Record<string, Kind>> = {
  file: 'file',
  dir: 'folder',
  user: 'user',
  context: 'context',
  name: 'none',
  host: 'none',
  text: 'none',
  from: 'none',
  to: 'none',
  n: 'none',
  seconds: 'none',
  time: 'none',
  address: 'none',
  ref: 'none',
  type: 'none',
  whose: 'none',
  fingerprint: 'none',
  id: 'none',
};
