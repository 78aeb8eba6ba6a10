/** Names that stand for all that a list of patterns of ssh_config(5) may mean, also beside negated ones. Pure. */
import { matchesPattern } from '../../system/ssh-patterns.ts';

/** Letters of names, the first that no pattern has: only a wildcard matches it, so it stands for any letter. */
const LETTERS = 'xqzjkvwybcdfghlmnprstaeiou0123456789_-+~'.split('');
/** With more stars in one pattern, all of them stand for equally many letters. */
const MAX_STARS = 4;
/** With more patterns, no names are made for two of them together. */
const MAX_COMBINED = 12;

/**
 * One name for each set of `patterns` that a name of one of them, or of two where they are few, is found to match. What matches a pattern
 * with one star and none of the negated ones beside it is always among them: in a wildcard's place only the number of letters counts.
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

/** `pattern` with each of `texts` for all its stars, and where they are few with all combinations of the shortest and the longest. */
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
