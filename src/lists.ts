/** What is done with lists everywhere. Pure. */

/** `all` in parts of `size`, in order; the last one may be smaller. */
export function inParts<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

/** The first `most` of `names`, and how many there are besides: `alice, bob and 3 more`. */
export function namesUpTo(most: number, names: readonly string[]): string {
  const rest = names.length > most ? ` and ${String(names.length - most)} more` : '';
  return names.slice(0, most).join(', ') + rest;
}

/** `1 user`, `2 users`. */
export function plural(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}
