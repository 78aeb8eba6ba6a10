/**
 * The id of a sealed file: 32 hex digits. The first 16 are drawn with the secret, the next 8 with its recovery codes, and the last 8 each time
 * it is sealed. Of what is imported the first two parts are marks by the host key, so that they come again with the same secret and codes. So two
 * ids tell whether they seal the same secret: a used code stays used when the secret is sealed again. Pure.
 */
const SECRET_DIGITS = 16;
const CODES_DIGITS = 24;

/** The next id of the secret that `old` seals: it begins like `old` and ends like `random`, both 32 hex digits. */
export function idForReseal(old: string, random: string, { hasNewCodes }: { readonly hasNewCodes: boolean }): string {
  const kept = hasNewCodes ? SECRET_DIGITS : CODES_DIGITS;
  return old.slice(0, kept) + random.slice(kept);
}

/** The id of a secret and its recovery codes that have these marks, of 16 hex digits each: it ends like `random`, 32 hex digits. */
export function idOfMarks({ secret, codes }: { readonly secret: string; readonly codes: string }, random: string): string {
  return secret + codes.slice(0, CODES_DIGITS - SECRET_DIGITS) + random.slice(CODES_DIGITS);
}

/** Whether both ids are of the same secret. */
export function isSameSecret(one: string, other: string): boolean {
  return one.slice(0, SECRET_DIGITS) === other.slice(0, SECRET_DIGITS);
}

/** Whether both ids are of the same secret with the same recovery codes. */
export function hasSameRecoveryCodes(one: string, other: string): boolean {
  return one.slice(0, CODES_DIGITS) === other.slice(0, CODES_DIGITS);
}
