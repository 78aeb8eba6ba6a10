/** Finds the secrets that a person means by a name. Pure. */

/**
 * The `names` that `given` means: the one that is spelled so, else those that differ in case alone, else those that begin so in any
 * case; `given` itself if there is none.
 */
export function meantBy(given: string, names: readonly string[]): readonly string[] {
  if (names.includes(given)) return [given];
  const wanted = given.toLowerCase();
  const alike = names.filter((name) => name.toLowerCase() === wanted);
  if (alike.length > 0) return alike;
  const longer = names.filter((name) => name.toLowerCase().startsWith(wanted));
  return longer.length > 0 ? longer : [given];
}

/**
 * All that several names mean, each once, in the order of the first that means it. `logins`: names that are there even where no file
 * of theirs is seen.
 */
export function meantByAll(given: readonly string[], names: readonly string[], logins: readonly string[] = []): readonly string[] {
  return [...new Set(given.flatMap((each) => (logins.includes(each) ? [each] : meantBy(each, names))))];
}
