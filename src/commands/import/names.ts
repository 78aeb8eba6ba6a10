/** The contexts that imported secrets get. */
import { MAX_CONTEXT_CHARACTERS } from '../../otp/names.ts';
import type { Credential } from '../../otp/uri.ts';

/** `given` for one secret; for several, distinct names `given-issuer-account` in the order of `credentials`. */
export function contextNames(given: string, credentials: readonly Credential[]): ReadonlyMap<string, Credential> {
  const named = new Map<string, Credential>();
  for (const credential of credentials)
    named.set(credentials.length === 1 ? given : freeName(`${given}${suffixOf(credential)}`, named), credential);
  return named;
}

function suffixOf({ issuer, account }: Credential): string {
  return [issuer, account]
    .map((name) => name.replace(/[^A-Za-z0-9_.]+/g, '-').replace(/^-+|-+$/g, ''))
    .filter((name) => name !== '')
    .map((name) => `-${name}`)
    .join('');
}

/** `wanted`, cut to the length limit of a context, with a number if the name is taken. */
function freeName(wanted: string, taken: ReadonlyMap<string, unknown>): string {
  for (let i = 1; ; i++) {
    const number = i === 1 ? '' : `-${String(i)}`;
    const name = wanted.slice(0, MAX_CONTEXT_CHARACTERS - number.length) + number;
    if (!taken.has(name)) return name;
  }
}
