/**
 * The id of a sealed file: 32 hex digits. The first 16 belong to the secret, the next 8 to its recovery codes, and the last 8
 * are new at each sealing. So two ids show whether they seal the same secret, and a used code stays used after a re-seal. The
 * parts are random; for an imported secret the first two are keyed marks (see seal/keys.ts), so that a second import of the
 * same secret and codes gives them again. Of these the first 8 are of the secret alone: the emergency codes belong to it, however its
 * other codes are numbered. Pure.
 */
const ALONE_DIGITS = 8;
const SECRET_DIGITS = 16;
const CODES_DIGITS = 24;

/** The next id of the secret that `old` seals: it begins like `old` and ends like `random`, both 32 hex digits. */
export function idForReseal(old: string, random: string, { hasNewCodes }: { readonly hasNewCodes: boolean }): string {
  const kept = hasNewCodes ? SECRET_DIGITS : CODES_DIGITS;
  return old.slice(0, kept) + random.slice(kept);
}

/**
 * The id of an imported secret and recovery codes with these marks of 16 hex digits each: of the secret `alone`, or undefined as in
 * earlier releases, and of it and how its codes are numbered. It ends like `random`, 32 hex digits.
 */
export function idOfMarks(
  { alone, secret, codes }: { readonly alone?: string | undefined; readonly secret: string; readonly codes: string },
  random: string,
): string {
  return (
    (alone === undefined ? secret : alone.slice(0, ALONE_DIGITS) + secret.slice(0, SECRET_DIGITS - ALONE_DIGITS)) +
    codes.slice(0, CODES_DIGITS - SECRET_DIGITS) +
    random.slice(CODES_DIGITS)
  );
}

/** The digits of the secret. */
export function secretOf(id: string): string {
  return id.slice(0, SECRET_DIGITS);
}

/** The first and the last mark of a secret, whose digits begin as those of `mark`, however its codes are numbered. */
export function marksBeside(mark: string): readonly [string, string] {
  const alone = mark.slice(0, ALONE_DIGITS);
  return [alone.padEnd(SECRET_DIGITS, '0'), alone.padEnd(SECRET_DIGITS, 'f')];
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
