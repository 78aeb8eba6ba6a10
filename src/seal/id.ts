/**
 * The id of a sealed file: 32 hex digits. The first 16 belong to the secret, the next 8 to its recovery codes, and the last 8
 * are new at each sealing. So two ids show whether they seal the same secret, and a used code stays used after a re-seal. The
 * parts are random; for an imported secret the first two are keyed marks (see seal/keys.ts), so that a second import of the
 * same secret and codes gives them again. Pure.
 */
const SECRET_DIGITS = 16;
const CODES_DIGITS = 24;

/** The next id of the secret that `old` seals: it begins like `old` and ends like `random`, both 32 hex digits. */
export function idForReseal(old: string, random: string, { hasNewCodes }: { readonly hasNewCodes: boolean }): string {
  const kept = hasNewCodes ? SECRET_DIGITS : CODES_DIGITS;
  return old.slice(0, kept) + random.slice(kept);
}

/**
 * The id of an imported secret and recovery codes with these marks of 16 hex digits each. It ends like `random`, 32 hex
 * digits.
 */
export function idOfMarks({ secret, codes }: { readonly secret: string; readonly codes: string }, random: string): string {
  return secret + codes.slice(0, CODES_DIGITS - SECRET_DIGITS) + random.slice(CODES_DIGITS);
}

/** The digits of the secret. */
export function secretOf(id: string): string {
  return id.slice(0, SECRET_DIGITS);
}

/** The digits of the recovery codes. */
export function codesOf(id: string): string {
  return id.slice(SECRET_DIGITS, CODES_DIGITS);
}

/** Whether both ids belong to the same secret. */
export function isSameSecret(one: string, other: string): boolean {
  return secretOf(one) === secretOf(other);
}

/** Whether both ids belong to the same secret with the same recovery codes. */
export function hasSameRecoveryCodes(one: string, other: string): boolean {
  return one.slice(0, CODES_DIGITS) === other.slice(0, CODES_DIGITS);
}
