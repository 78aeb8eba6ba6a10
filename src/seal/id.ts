/**
 * The id of a sealed file: 32 hex digits. The first 16 are the secret's (its mark by the host key, or drawn with it), the
 * next 8 are drawn with its recovery codes, and the last 8 each time it is sealed. So two ids tell whether they seal the same secret: a used
 * code stays used when the secret is sealed again. Pure.
 */
const SECRET_DIGITS = 16;
const CODES_DIGITS = 24;

/** The next id of the secret that `old` seals: it begins like `old` and ends like `random`, both 32 hex digits. */
export function idForReseal(old: string, random: string, { hasNewCodes }: { readonly hasNewCodes: boolean }): string {
  const kept = hasNewCodes ? SECRET_DIGITS : CODES_DIGITS;
  return old.slice(0, kept) + random.slice(kept);
}

/** The id of a secret whose mark is `mark`, 16 hex digits: it ends like `random`, 32 hex digits. */
export function idOfSecret(mark: string, random: string): string {
  return mark + random.slice(SECRET_DIGITS);
}

/** Whether both ids are of the same secret. */
export function isSameSecret(one: string, other: string): boolean {
  return one.slice(0, SECRET_DIGITS) === other.slice(0, SECRET_DIGITS);
}

/** Whether both ids are of the same secret with the same recovery codes. */
export function hasSameRecoveryCodes(one: string, other: string): boolean {
  return one.slice(0, CODES_DIGITS) === other.slice(0, CODES_DIGITS);
}
