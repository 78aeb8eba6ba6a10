/** Patterns with `*` and `?`, as in ssh_config(5). Pure. */

/** Whether `name` matches `pattern` as a whole. */
export function matchesPattern(name: string, pattern: string): boolean {
  // Only the last "*" is ever tried again, so the time is at most the length of the pattern times that of the name.
  let [i, j, star, from] = [0, 0, -1, 0];
  while (i < name.length) {
    const each = pattern[j];
    if (each === '*') [star, from] = [j++, i];
    else if (each === '?' || each === name[i]) [i, j] = [i + 1, j + 1];
    else if (star === -1) return false;
    else [i, j] = [++from, star + 1];
  }
  return /^\**$/.test(pattern.slice(j));
}
