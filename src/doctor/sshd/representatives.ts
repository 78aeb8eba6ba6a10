/** Picks sample names for a list of patterns of ssh_config(5), also with negated ones: together they stand for all names. Pure. */
import { matchesPattern } from '../../system/ssh/patterns.ts';

/** Letters for names. The first that no pattern contains is used: only a wildcard matches it, so it stands for any letter. */
const LETTERS = 'xqzjkvwybcdfghlmnprstaeiou0123456789_-+~'.split('');
/** If a pattern has more stars, all of them are replaced by the same number of letters. */
const MAX_STARS = 4;
/** If there are more patterns, no names are built from two of them together. */
const MAX_COMBINED = 12;

/**
 * One name for each combination of `patterns` that a generated name is found to match. Names are generated from each pattern, and from two
 * together if there are few. A name that matches a pattern with one star and none of the negated patterns is always among them: in place of
 * a wildcard only the number of letters matters.
 */
export function representatives(patterns: readonly string[]): string[] {
  const letter = LETTERS.find((each) => !patterns.some((pattern) => pattern.includes(each))) ?? 'x';
  const most = Math.max(0, ...patterns.map((pattern) => pattern.length)) + 1;
  const fill = (pattern: string, texts: readonly string[]): string[] => fillings(pattern.replaceAll('?', letter), texts);
  const lengths = [1, 0, ...Array.from({ length: most }, (_, i) => i + 1)].map((length) => letter.repeat(length));
  const alone = patterns.flatMap((pattern) => fill(pattern, lengths));
  const first = patterns.map((pattern) => pattern.replaceAll('?', letter).replaceAll('*', letter));
  const together = patterns.length > MAX_COMBINED ? [] : patterns.flatMap((pattern) => fill(pattern, first));
  const found = new Map<string, string>();
  for (const name of [...alone, ...together].filter((each) => each !== '')) {
    const matched = patterns.map((pattern) => matchesPattern(name, pattern)).join();
    if (!found.has(matched)) found.set(matched, name);
  }
  return [...found.values()];
}

/** `pattern` with each of `texts` for all its stars; if the stars are few, also with all combinations of the shortest and longest texts. */
function fillings(pattern: string, texts: readonly string[]): string[] {
  const stars = pattern.replaceAll(/\*+/g, '*');
  const same = texts.map((text) => stars.replaceAll('*', () => text));
  const count = stars.split('*').length - 1;
  if (count < 2 || count > MAX_STARS) return same;
  const few = [...texts.slice(0, 3), ...texts.slice(-1)];
  let combined = [stars];
  for (let i = 0; i < count; i++) combined = combined.flatMap((each) => few.map((text) => each.replace('*', () => text)));
  return [...same, ...combined];
}
